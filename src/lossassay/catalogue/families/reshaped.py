"""Cross-entropy bent: the second half of the family of regularised losses."""

from lossassay.catalogue.loss_spec import Equals, LossSpec
from lossassay.catalogue.parameters import Parameter

_CROSS_ENTROPY = "sparse_categorical_crossentropy"
_ABSOLUTE_ERROR = "mean_absolute_error_probability"

RESHAPED: dict[str, LossSpec] = {
    "poly1": LossSpec(
        function="lossassay.losses.reshaped:poly1",
        title="PolyLoss with one changed term (Poly-1)",
        formula=r"-\log p_y + \epsilon(1-p_y)",
        paper="Leng et al. 2022, ICLR, arXiv:2204.12511",
        when="One number to tune beside cross-entropy: above 0 confident answers are favoured, below 0 held back.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "epsilon": Parameter(
                default=2.0,
                low=-1.0,
                meaning="change of the first coefficient; 0 is cross-entropy, 2 for images in the paper, -1 for boxes",
            ),
        },
        equals=(Equals(other=_CROSS_ENTROPY, at={"epsilon": 0.0}),),
        elsewhere={"optax": "optax.losses.poly_loss_cross_entropy(scores, rows, epsilon=2.0)"},
        differs="optax and timm have epsilon = 2 as here, ludwig 1; for detection the paper takes -1.",
        oracle="keras.losses.sparse_categorical_crossentropy, and the rest in loops",
        aliases=("polyloss",),
    ),
    "taylor_cross_entropy": LossSpec(
        function="lossassay.losses.reshaped:taylor_cross_entropy",
        title="Taylor cross-entropy",
        formula=r"\sum_{k=1}^{r}\frac{(1-p_y)^k}{k}",
        paper="Feng et al. 2020, IJCAI, p. 2206",
        when="Some wrong labels; whole steps between absolute error and cross-entropy.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "order": Parameter(
                default=2,
                kind="integer",
                low=1,
                meaning="r, number of terms; the default is that of common code, the paper tunes it; each costs time",
            ),
        },
        bounded=True,
        equals=(Equals(other=_ABSOLUTE_ERROR, at={"order": 1}, factor=0.5),),
        differs=(
            "Not to be mixed up with the Taylor softmax, which replaces the exponential function by a polynomial; code "
            "on the web often has both at once under this name."
        ),
        oracle="closed form in probabilities, term by term",
        aliases=("taylor_ce",),
    ),
    "focal_sample_dependent": LossSpec(
        function="lossassay.losses.reshaped:focal_sample_dependent",
        title="Focal loss with sample-dependent focusing (FLSD-53)",
        formula=r"-(1-p_y)^{\gamma(p_y)}\log p_y, \quad \gamma(p) = 5 \text{ if } p < 0.2 \text{ else } 3",
        paper="Mukhoti et al. 2020, NeurIPS, arXiv:2002.09437",
        when="Networks that over-fit: it holds back scores that grow too sure, easy examples less.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "gamma_hard": Parameter(default=5.0, low=0.0, meaning="focusing of examples below the threshold"),
            "gamma_easy": Parameter(default=3.0, low=0.0, meaning="focusing of examples from the threshold on"),
            "threshold": Parameter(default=0.2, low=0.0, high=1.0, meaning="probability of the true class"),
        },
        equals=(
            Equals(other="focal", at={"gamma_hard": 2.0, "gamma_easy": 2.0}),
            Equals(other="focal", at={"threshold": 0.0}, other_at={"gamma": 3.0}),
            Equals(other=_CROSS_ENTROPY, at={"gamma_hard": 0.0, "gamma_easy": 0.0}),
        ),
        variant_of="focal",
        differs=(
            "The authors' code lets the gradient through both factors, as here. The value jumps up by 1.56 where p_y "
            "passes 0.2 on the way to the right answer; focal loss with one gamma has no such place. Their "
            "class FocalLossAdaptive uses its argument gamma, 0 by default, from p_y = 0.5 on: it has to be given as 3."
        ),
        oracle="closed form in probabilities, in loops",
        aliases=("flsd_53",),
    ),
    "asymmetric_single_label": LossSpec(
        function="lossassay.losses.reshaped:asymmetric_single_label",
        title="Asymmetric loss for single labels",
        formula=(
            r"-\left(1-\epsilon+\frac{\epsilon}{K}\right)(1-p_y)^{\gamma_+}\log p_y"
            r" - \frac{\epsilon}{K}\sum_{c\ne y} p_c^{\gamma_-}\log p_c"
        ),
        paper="Ridnik et al. 2021, ICCV, arXiv:2009.14119 (in its code; the paper has the form for findings)",
        when="Label smoothing that leaves classes alone which are ruled out already.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "gamma_pos": Parameter(default=0.0, low=0.0, meaning="focusing of the true class"),
            "gamma_neg": Parameter(default=4.0, low=0.0, meaning="focusing of the others; without smoothing no effect"),
            "epsilon": Parameter(
                default=0.1, low=0.0, high=1.0, meaning="share of the label that is spread over all classes"
            ),
        },
        equals=(
            Equals(other="label_smoothing", at={"gamma_pos": 0.0, "gamma_neg": 0.0}),
            Equals(other="focal", at={"gamma_pos": 2.0, "epsilon": 0.0}),
            Equals(other=_CROSS_ENTROPY, at={"epsilon": 0.0}),
        ),
        differs="timm has gamma_pos = 1 as default, the original code 0.",
        oracle="closed form in probabilities, in loops",
        aliases=("asl_single_label",),
    ),
    "sigmoid_one_vs_all": LossSpec(
        function="lossassay.losses.reshaped:sigmoid_one_vs_all",
        title="Sigmoid, each class against all others",
        formula=r"-\sum_c [t_c\log s_c + (1-t_c)\log(1-s_c)], \quad s_c = \sigma(z_c - \log K)",
        paper="Beyer et al. 2020, arXiv:2006.07159; Kornblith et al. 2021, NeurIPS, arXiv:2010.16402",
        when="Images that may show more than their label says: classes do not have to compete.",
        encoding="dense",
        tasks=("single_label", "multi_label"),
        link="one_against_all",
        equals=(),
        elsewhere={
            "torch": "F.binary_cross_entropy_with_logits(scores - math.log(K), rows, reduction='none').sum(-1).mean()",
            "keras": "K * keras.losses.BinaryCrossentropy(from_logits=True) on scores - log(K)",
            "optax": "optax.losses.sigmoid_binary_cross_entropy(scores - jnp.log(K), rows).sum(-1)",
        },
        differs=(
            "keras and torch take the mean over classes, K times smaller (binary_crossentropy does so here); timm's "
            "BinaryCrossEntropy takes that mean unless told sum_classes=True, smooths labels by 0.1 and has no offset."
        ),
        oracle="keras.ops.binary_crossentropy(from_logits=True) of scores minus log K, summed",
        aliases=("one_vs_all",),
    ),
    "top_k_cross_entropy": LossSpec(
        function="lossassay.losses.reshaped:top_k_cross_entropy",
        title="Cross-entropy of the hardest examples (top-k, OHEM)",
        formula=r"\frac1n\sum_{b\in\text{hardest }n} -\log p_{by}, \quad n = \max(1, \lfloor kB\rfloor)",
        paper="Wu et al. 2016, arXiv:1605.06885; Shrivastava et al. 2016, CVPR, arXiv:1604.03540",
        when="Large batches of mostly easy images with right labels; wrong labels are the hardest of all.",
        encoding="integer",
        kind="batch",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "k": Parameter(
                default=0.1,
                low=0.0,
                high=1.0,
                meaning="share of the batch that counts, rounded down to one or more examples; 1 is cross-entropy",
            ),
        },
        equals=(Equals(other=_CROSS_ENTROPY, at={"k": 1.0}),),
        elsewhere={"torch": "nats.topk(max(1, int(0.1 * len(nats)))).values.mean()"},
        differs=(
            "The papers and nnU-Net (TopK10: 10 percent) choose among pixels or boxes; here among images. nnU-Net "
            "rounds down to none where the batch is small, which gives nan."
        ),
        oracle="Python's sorted, in a loop",
        aliases=("ohem", "top_k"),
    ),
    "kl_divergence": LossSpec(
        function="lossassay.losses.divergences:kl_divergence",
        title="Kullback-Leibler divergence",
        formula=r"\sum_c t_c\log\frac{t_c}{p_c}",
        paper="Kullback and Leibler 1951, Ann. Math. Stat. 22:79",
        when="Soft labels, and the value is to be 0 where they are met; it learns what cross-entropy learns.",
        encoding="dense",
        tasks=("single_label",),
        link="softmax",
        equals=(Equals(other="categorical_crossentropy", only="one_hot_labels"),),
        elsewhere={
            "torch": "F.kl_div(F.log_softmax(scores, -1), rows, reduction='batchmean')",
            "keras": "keras.losses.KLDivergence() after a softmax layer",
            "optax": "optax.losses.kl_divergence(jax.nn.log_softmax(scores), rows)",
        },
        differs=(
            "keras clips both rows at 1e-7; torch's default reduction 'mean' also divides by K, and its arguments "
            "stand the other way round than in the formula."
        ),
        oracle="torch.nn.functional.kl_div(reduction='none'), summed over classes",
        aliases=("kullback_leibler",),
    ),
    "jensen_shannon": LossSpec(
        function="lossassay.losses.divergences:jensen_shannon",
        title="Jensen-Shannon divergence, scaled",
        formula=(r"\frac{\pi D(t\Vert m)+(1-\pi)D(p\Vert m)}{-(1-\pi)\log(1-\pi)}, \quad m = \pi t+(1-\pi)p"),
        paper="Englesson and Azizpour 2021, NeurIPS, arXiv:2105.04522",
        when="Some wrong labels: one number goes from cross-entropy to absolute error.",
        encoding="integer",
        tasks=("single_label",),
        link="softmax",
        output="score",
        hyper_parameters={
            "pi": Parameter(
                default=0.5,
                low=0.0,
                high=1.0,
                meaning="weight of the label; 0 is cross-entropy, 1 half the absolute error; 0.5 is Lin's divergence, "
                "the authors tune it for each share of wrong labels. 1 is neared slowly, as 1 / log(1 - pi) is",
            ),
        },
        bounded=True,
        equals=(
            Equals(other=_CROSS_ENTROPY, at={"pi": 0.0}),
            Equals(other=_CROSS_ENTROPY, at={"pi": 1e-8}, tolerance=1e-5),
            Equals(other=_ABSOLUTE_ERROR, at={"pi": 1.0}, factor=0.5),
        ),
        differs=(
            "The loss of AugMix (timm JsdCrossEntropy) is cross-entropy plus a divergence between views of an image, "
            "without the label; the authors' GJS loss has views and the label. The authors' code clips at 1e-7."
        ),
        oracle="both divergences in probabilities, in loops",
        aliases=("js",),
    ),
    "bi_tempered": LossSpec(
        function="lossassay.losses.tempered:bi_tempered",
        title="Bi-tempered logistic loss",
        formula=r"-\log_{t_1}p_y - \frac{1-\sum_c p_c^{2-t_1}}{2-t_1}, \quad p_c = \exp_{t_2}(z_c-\lambda)",
        paper="Amid et al. 2019, NeurIPS, arXiv:1906.03361",
        when="Some wrong labels, far from the border (t1 below 1) or near it (t2 above 1).",
        encoding="integer",
        tasks=("single_label",),
        link="tempered_softmax",
        hyper_parameters={
            "t1": Parameter(
                default=0.8, low=0.0, high=1.0, meaning="of the logarithm; below 1 an example costs at most 1/(1 - t1)"
            ),
            "t2": Parameter(
                default=1.2, low=1.0, high=5.0, meaning="of the softmax; above 1 its tails fall like a power"
            ),
        },
        bounded=True,  # but for t1 = 1
        equals=(
            Equals(other=_CROSS_ENTROPY, at={"t1": 1.0, "t2": 1.0}),
            Equals(other="brier", at={"t1": 0.0, "t2": 1.0}, factor=0.5),
            Equals(other=_CROSS_ENTROPY, at={"t1": 1 - 1e-8, "t2": 1 + 1e-8}, tolerance=1e-6),
        ),
        differs=(
            "The defaults are common in code; the paper tunes them. The authors' code stops after 5 iterations of a "
            "fixed point: at t2 = 1.2 its probabilities miss a sum of one by up to 2e-5 for ten classes and 1e-2 for a "
            "thousand. It allows t2 below 1 too, with probabilities of exactly 0."
        ),
        oracle="the paper's fixed point, iterated to the end and differentiated through",
    ),
}
