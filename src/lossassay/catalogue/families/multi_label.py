"""Findings that may occur together, or not at all."""

from lossassay.catalogue.loss_spec import Equals, LossSpec
from lossassay.catalogue.parameters import Parameter

TITLE = "Multi-label"

_SUM = "binary_crossentropy_sum"
_SHIFTED = "Present and absent weigh differently, so the sigmoid is no probability as it stands."

LOSSES: dict[str, LossSpec] = {
    "binary_crossentropy": LossSpec(
        function="lossassay.losses.binary:binary_crossentropy",
        title="Binary cross-entropy, one against all (mean over classes)",
        formula=r"-\frac{1}{K}\sum_c \left[t_c \log s_c + (1 - t_c)\log(1 - s_c)\right]",
        paper="Good 1952; one against all for single labels: Beyer et al. 2020, arXiv:2006.07159",
        when="Multi-label findings; or single labels when classes should not compete.",
        encoding="dense",
        tasks=("single_label", "multi_label"),
        link="sigmoid",
        equals=(Equals(other=_SUM, factor="1/classes"),),
        elsewhere={
            "torch": "F.binary_cross_entropy_with_logits(scores, rows)",
            "keras": "keras.losses.BinaryCrossentropy(from_logits=True)",
            "optax": "optax.sigmoid_binary_cross_entropy(scores, rows).mean(-1)",
        },
        differs=(
            "keras and torch take the mean over classes, Beyer et al. and ASL the sum: a factor of K. "
            "torch.nn.MultiLabelSoftMarginLoss is this loss under another name."
        ),
        oracle="keras.ops.binary_crossentropy(from_logits=True)",
        aliases=("bce", "multi_label_soft_margin"),
    ),
    _SUM: LossSpec(
        function="lossassay.losses.multi_label:binary_crossentropy_sum",
        title="Binary cross-entropy, one against all (sum over classes, weight of positives)",
        formula=r"-\sum_c \left[w_c t_c \log s_c + (1 - t_c)\log(1 - s_c)\right]",
        paper="Good 1952; the sum: Beyer et al. 2020, arXiv:2006.07159",
        when="As binary cross-entropy, with a gradient that does not shrink with the classes, or with weights.",
        encoding="dense",
        tasks=("single_label", "multi_label"),
        link="sigmoid",
        output="rank",
        hyper_parameters={
            "pos_weight": Parameter(
                default=None,
                kind="reals",
                optional=True,
                per_class=True,
                meaning="w, weights of positives; the sigmoid is then for a population with so many more positives",
            ),
        },
        equals=(Equals(other="binary_crossentropy", factor="classes"),),
        variant_of="binary_crossentropy",
        elsewhere={
            "torch": "F.binary_cross_entropy_with_logits(scores, rows, pos_weight=w, reduction='none').sum(-1).mean()",
            "optax": "optax.sigmoid_binary_cross_entropy(scores, rows).sum(-1)",
        },
        differs="torch and keras take the mean over classes: a factor of K.",
        oracle="keras.ops.binary_crossentropy(from_logits=True), positives and negatives apart",
    ),
    "class_balanced_binary": LossSpec(
        function="lossassay.losses.class_balanced_binary:class_balanced_binary",
        title="Class-balanced binary cross-entropy (effective number of images)",
        formula=(
            r"-w\sum_c \left[t_c \log s_c + (1 - t_c)\log(1 - s_c)\right], \quad "
            r"w = \frac{\sum_c t_c w_c}{\sum_c t_c}, \; w_c \propto \frac{1-\beta}{1-\beta^{n_c}}"
        ),
        paper="Cui et al. 2019, CVPR, arXiv:1901.05555",
        when="Findings of very different frequency: an image with a rare one counts more, with all that it shows.",
        encoding="dense",
        tasks=("single_label", "multi_label"),
        link="sigmoid",
        output="score",
        inputs=("class_counts",),
        hyper_parameters={
            "beta": Parameter(
                default=0.999,
                low=0.0,
                high=1.0,
                meaning="0 is no weights, 1 is one over the class size; the paper tries 0.9, 0.99, 0.999 and 0.9999",
            ),
        },
        equals=(Equals(other=_SUM, at={"beta": 0.0}), Equals(other=_SUM, only="equal_counts")),
        differs=(
            "The paper has one label for each image, and sums over classes as here; the copied torch version takes the "
            "mean over classes. Several labels: the mean of their weights, as in the code of Wu et al. 2020; none: 1."
        ),
        oracle="effective numbers as sums of a geometric series, in loops",
        aliases=("cb_bce",),
    ),
    "sigmoid_focal": LossSpec(
        function="lossassay.losses.multi_label:sigmoid_focal",
        title="Focal loss (sigmoid form)",
        formula=(
            r"-\sum_c \left[\alpha t_c (1 - s_c)^\gamma \log s_c + "
            r"(1 - \alpha)(1 - t_c) s_c^\gamma \log(1 - s_c)\right]"
        ),
        paper="Lin et al. 2017, ICCV, arXiv:1708.02002, eq. 5",
        when="Findings that are absent in most images: easy absences hardly count.",
        encoding="dense",
        tasks=("multi_label",),
        link="sigmoid",
        output="rank",
        hyper_parameters={
            "gamma": Parameter(default=2.0, low=0.0, meaning="focusing; 0 gives weighted binary cross-entropy"),
            "alpha": Parameter(
                default=0.25,
                low=0.0,
                high=1.0,
                optional=True,
                meaning="weight of positives, negatives get 1 - alpha; none gives both 1",
            ),
        },
        equals=(
            Equals(other=_SUM, at={"gamma": 0.0, "alpha": None}),
            Equals(other=_SUM, at={"gamma": 0.0, "alpha": 0.5}, factor=0.5),
        ),
        elsewhere={
            "torch": "torchvision.ops.sigmoid_focal_loss(scores, rows, 0.25, 2.0).sum(-1).mean()  # rows of 0 and 1",
            "keras": "keras.losses.BinaryFocalCrossentropy(apply_class_balancing=True, from_logits=True)  # mean",
            "optax": "optax.sigmoid_focal_loss(scores, rows, alpha=0.25, gamma=2.0).sum(-1)",
        },
        differs=(
            "torchvision has alpha = 0.25 and reduces nothing by default; optax has no alpha by default, and keras one "
            "that is off until apply_class_balancing is set. " + _SHIFTED
        ),
        oracle="keras.losses.binary_focal_crossentropy, class by class",
    ),
    "asymmetric": LossSpec(
        function="lossassay.losses.multi_label:asymmetric",
        title="Asymmetric loss (ASL)",
        formula=(
            r"-\sum_c \left[t_c (1 - s_c)^{\gamma_+} \log s_c + (1 - t_c)\bar s_c^{\gamma_-}\log(1 - \bar s_c)\right], "
            r"\quad \bar s_c = \max(s_c - m, 0)"
        ),
        paper="Ridnik et al. 2021, ICCV, arXiv:2009.14119",
        when="Many findings of which few are present, and some that nobody wrote down.",
        encoding="dense",
        tasks=("multi_label",),
        link="sigmoid",
        output="rank",
        hyper_parameters={
            "gamma_neg": Parameter(default=4.0, low=0.0, meaning="focusing of negatives"),
            "gamma_pos": Parameter(default=1.0, low=0.0, meaning="focusing of positives"),
            "margin": Parameter(
                default=0.05,
                low=0.0,
                high=1.0,
                meaning="m: negatives with a probability below it cost nothing; also bounds a false alarm by -log m",
            ),
        },
        bounded="false_alarms",
        equals=(
            Equals(other=_SUM, at={"gamma_neg": 0.0, "gamma_pos": 0.0, "margin": 0.0}),
            Equals(
                other="sigmoid_focal",
                at={"gamma_neg": 2.0, "gamma_pos": 2.0, "margin": 0.0},
                other_at={"alpha": None},
            ),
        ),
        elsewhere={"torch": "timm.loss.AsymmetricLossMultiLabel(4, 1, clip=0.05)(scores, rows)  # rows of 0 and 1"},
        differs=(
            "The authors' code sums over the batch too, timm takes the mean over the batch, mmpretrain over batch and "
            "classes; gamma_pos is 1 in all of them but 0 in mmpretrain's class. They clamp probabilities at 1e-8, "
            "where a missed finding no longer pulls. The focusing weights are differentiated, as the formula says; the "
            "authors' disable_torch_grad_focal_loss leaves that out. " + _SHIFTED
        ),
        oracle="closed form in probabilities with a gradient of its own for the shift, in loops",
        aliases=("asl",),
    ),
    "hill": LossSpec(
        function="lossassay.losses.multi_label:hill",
        title="Hill loss",
        formula=(
            r"\sum_c \left[-t_c (1 - q_c)^\gamma \log q_c + (1 - t_c)(\lambda - s_c) s_c^2\right], \quad "
            r"q = \mathrm{sigmoid}(z - m)"
        ),
        paper="Zhang et al. 2021, arXiv:2112.07368",
        when="Findings that reports often leave out: a negative that looks surely positive is let go.",
        encoding="dense",
        tasks=("multi_label",),
        link="sigmoid",
        output="rank",
        hyper_parameters={
            "lambda_": Parameter(default=1.5, low=1.0, meaning="1.5: the pull on a negative vanishes at probability 1"),
            "margin": Parameter(
                default=1.0, low=0.0, meaning="m, added to what a positive must reach; paper: 0.5 to 1"
            ),
            "gamma": Parameter(default=2.0, low=0.0, meaning="focusing of positives"),
        },
        bounded="false_alarms",
        equals=(),
        differs=f"The authors' code sums over the batch too. {_SHIFTED}",
        oracle="closed form in probabilities, in loops",
    ),
    "splc": LossSpec(
        function="lossassay.losses.multi_label:splc",
        title="Self-paced loss correction (SPLC)",
        formula=(
            r"\sum_c \left[t_c\ell^+(z_c - m) + (1 - t_c)\begin{cases}\ell^+(z_c) & s_c > \tau\\"
            r"\ell^-(z_c) & \text{else}\end{cases}\right], \quad \ell^+ = -(1-s)^\gamma\log s, \; "
            r"\ell^- = -s^\gamma\log(1-s)"
        ),
        paper="Zhang et al. 2021, arXiv:2112.07368",
        when="As Hill loss, where so many findings are left out that they should be filled in while training.",
        encoding="dense",
        tasks=("multi_label",),
        link="sigmoid",
        output="rank",
        inputs=("epoch",),
        hyper_parameters={
            "tau": Parameter(default=0.6, low=0.0, high=1.0, meaning="negatives above it become positives; 1: none"),
            "change_epoch": Parameter(
                default=1, kind="integer", low=0, meaning="epochs before labels are corrected; 0: from the start"
            ),
            "margin": Parameter(default=1.0, low=0.0, meaning="m, added to what a labelled positive must reach"),
            "gamma": Parameter(default=2.0, low=0.0, meaning="focusing"),
        },
        bounded="false_alarms",
        equals=(Equals(other="sigmoid_focal", at={"tau": 1.0, "margin": 0.0}, other_at={"alpha": None}),),
        differs=(
            "The paper's formula has the margin for corrected labels too, the authors' code for labelled ones alone, "
            f"and so here. The code sums over the batch too. {_SHIFTED}"
        ),
        oracle="closed form in probabilities, in loops",
    ),
    "zlpr": LossSpec(
        function="lossassay.losses.multi_label_ranking:zlpr",
        title="Zero-bounded log-sum-exp and pairwise rank-based loss (ZLPR)",
        formula=r"\log\left(1 + \sum_c (1 - t_c) e^{z_c}\right) + \log\left(1 + \sum_c t_c e^{-z_c}\right)",
        paper="Su et al. 2022, arXiv:2208.02955",
        when="Many findings of which few are present: it does not grow with the number of easy absences.",
        encoding="dense",
        tasks=("multi_label",),
        link="sigmoid",
        output="score",
        equals=(),
        elsewhere={"torch": "timm.loss.ZlprLoss()(scores, rows)"},
        differs="timm rounds soft labels to 0 and 1; here and in the authors' code they are weights.",
        oracle="closed form in exponentials, in loops",
    ),
    "lsep": LossSpec(
        function="lossassay.losses.multi_label_ranking:lsep",
        title="Log-sum-exp pairwise loss (LSEP)",
        formula=r"\log\left(1 + \sum_{i,j} t_i (1 - t_j) e^{z_j - z_i}\right)",
        paper="Li et al. 2017, CVPR, arXiv:1704.03135",
        when="When what is present should stand above what is not in each image; images without findings say nothing.",
        encoding="dense",
        tasks=("multi_label",),
        link="sigmoid",
        output="rank",
        equals=(),
        differs="The paper draws at most 1,000 pairs for each image; here all pairs count, at no cost.",
        oracle="closed form over all pairs, in loops",
    ),
    "pairwise_hinge_ranking": LossSpec(
        function="lossassay.losses.multi_label_ranking:pairwise_hinge_ranking",
        title="Pairwise hinge (ranking loss, multi-label margin loss)",
        formula=r"\frac{1}{K}\sum_{i,j} t_i (1 - t_j)\max(0, m - z_i + z_j)",
        paper="Elisseeff and Weston 2001, NIPS 14",
        when="As LSEP, but a pair in the right order by the margin is left alone.",
        encoding="dense",
        tasks=("multi_label",),
        link="sigmoid",
        output="rank",
        hyper_parameters={
            "margin": Parameter(default=1.0, low=0.0, meaning="m, on the scale of the scores"),
        },
        equals=(),
        elsewhere={"torch": "F.multilabel_margin_loss(scores, present_classes_then_minus_ones)"},
        differs=(
            "torch divides by the number of classes, as here; Elisseeff and Weston by the number of pairs, so that an "
            "image with many findings does not count more."
        ),
        oracle="torch.nn.functional.multilabel_margin_loss, scores in units of the margin",
        aliases=("multi_label_margin",),
    ),
    "two_way": LossSpec(
        function="lossassay.losses.multi_label_ranking:two_way",
        title="Two-way multi-label loss",
        formula=(
            r"\frac{1}{|B^+|}\sum_{b \in B^+}\ell(z_{b\cdot}, t_{b\cdot}) + "
            r"\frac{1}{|K^+|}\sum_{c \in K^+}\ell(z_{\cdot c}, t_{\cdot c}), \quad "
            r"\ell = \log\left(1 + \Big(\sum_j (1 - t_j) e^{z_j/T_-}\Big)^{T_-}"
            r"\Big(\sum_i t_i e^{-z_i/T_+}\Big)^{T_+}\right)"
        ),
        paper="Kobayashi 2023, CVPR",
        when="Findings judged by the order of images: present above absent within an image and within the batch.",
        encoding="dense",
        kind="batch",
        tasks=("multi_label",),
        link="sigmoid",
        output="rank",
        hyper_parameters={
            "temperature_pos": Parameter(
                default=4.0,
                low=0.01,
                meaning="T+: the higher, the more of what is present has a say, not the lowest alone",
            ),
            "temperature_neg": Parameter(default=1.0, low=0.01, meaning="T-: the same for what is absent"),
        },
        equals=(),
        elsewhere={"torch": "timm.loss.TwoWayLoss(tp=4.0, tn=1.0)(scores, rows)"},
        differs=(
            "timm rounds soft labels to 0 and 1, the author's code rounds them up to 1; here they are weights. The "
            "author masks with -100, which scores of some hundred reach, timm with -10,000."
        ),
        oracle="closed form in exponentials, in loops over rows and columns",
    ),
    "distribution_balanced": LossSpec(
        function="lossassay.losses.distribution_balanced:distribution_balanced",
        title="Distribution-balanced loss",
        formula=(
            r"\frac{a}{K}\sum_c w_c \left[t_c (1-s_c)^\gamma\,\mathrm{softplus}(-u_c) + (1-t_c)\bar s_c^\gamma\,"
            r"\mathrm{softplus}(\lambda u_c)/\lambda\right], \quad "
            r"u_c = z_c - \tfrac{\kappa}{\lambda}\log(N/n_c - 1), \; "
            r"w_c = \alpha + \mathrm{sigmoid}(\beta(r_c - \mu)), \; "
            r"r_c = \frac{1/n_c}{\sum_j t_j/n_j}, \; s = \mathrm{sigmoid}(u), \; \bar s = \mathrm{sigmoid}(\lambda u)"
        ),
        paper="Wu et al. 2020, ECCV, arXiv:2007.09654",
        when="Findings of very different frequency that occur together, and many absences of rare ones.",
        encoding="dense",
        tasks=("multi_label",),
        link="sigmoid",
        output="rank",
        inputs=("class_counts",),
        hyper_parameters={
            "map_alpha": Parameter(default=0.1, low=0.0, meaning="alpha, lowest weight"),
            "map_beta": Parameter(
                default=10.0, low=0.0, meaning="beta, how steeply the weights rise; 0 is one for all"
            ),
            "map_mu": Parameter(default=0.2, low=0.0, meaning="mu, where they are half way up; COCO 0.2, VOC 0.3"),
            "neg_scale": Parameter(
                default=2.0, low=0.1, meaning="lambda: the higher, the sooner a negative is low enough; COCO 2, VOC 5"
            ),
            "init_bias": Parameter(default=0.05, low=0.0, meaning="kappa, how far scores are lowered for rare classes"),
            "gamma": Parameter(default=2.0, low=0.0, meaning="focusing"),
            "focal_scale": Parameter(default=2.0, low=0.1, meaning="a; the authors' code: 2, without focusing 1"),
            "num_images": Parameter(
                default=None,
                kind="integer",
                low=2,
                optional=True,
                meaning="N, images in the training part; none takes the sum of the class counts",
            ),
        },
        equals=(
            Equals(
                other="binary_crossentropy",
                at={
                    "map_alpha": 0.5,
                    "map_beta": 0.0,
                    "neg_scale": 1.0,
                    "init_bias": 0.0,
                    "gamma": 0.0,
                    "focal_scale": 1.0,
                },
            ),
        ),
        elsewhere={"torch": "timm.loss.DistributionBalancedLoss(class_counts=counts, num_samples=N)(scores, rows)"},
        differs=(
            "The authors train with images sampled by class, which no loss can do; their class has lambda = 5, their "
            f"file for COCO 2, as timm. {_SHIFTED}"
        ),
        oracle="closed form in probabilities, in loops",
        aliases=("db",),
    ),
}
