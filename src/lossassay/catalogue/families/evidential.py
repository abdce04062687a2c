"""Evidential losses: scores become evidence, and evidence a distribution of probabilities."""

from lossassay.catalogue.loss_spec import LossSpec
from lossassay.catalogue.parameters import Parameter

TITLE = "Evidential"

_SENSOY = "Sensoy et al. 2018, NeurIPS, arXiv:1806.01768"
_PENALTY = (
    r" + \min\left(1, \tfrac{t}{T}\right)\mathrm{KL}\left(\mathrm{Dir}(\tilde\alpha)\,\Vert\,\mathrm{Dir}(1)\right), "
    r"\quad \alpha = 1 + \mathrm{softplus}(z), \; S = \sum_c \alpha_c, \; \tilde\alpha_y = 1"
)
_ANNEALING = Parameter(
    default=10,
    kind="integer",
    low=0,
    meaning="T, epochs in which the penalty grows from 0 in the first epoch to its full weight; 0: full from the start",
)
_DIFFERS = (
    "Evidence is softplus(z) here. The paper's relu gives no evidence and no gradient below 0, so that examples may "
    "never be learnt; exp, clipped at z of 10 in the authors' code, gives evidence by the thousand. torch-uncertainty "
    "0.13.0 has relu, no penalty as default and, where one is asked for, the same one; the authors' code lets it grow "
    "from step to step, here it grows from epoch to epoch."
)

LOSSES: dict[str, LossSpec] = {
    "evidential_log": LossSpec(
        function="lossassay.losses.evidential:evidential_log",
        title="Evidential loss, type II maximum likelihood",
        formula=r"\log S - \log\alpha_y" + _PENALTY,
        paper=_SENSOY,
        when="How sure the network is should also be seen in how much evidence it has: S is small for odd images.",
        encoding="integer",
        tasks=("single_label",),
        link="evidence",
        output="score",
        inputs=("epoch",),
        hyper_parameters={"annealing_epochs": _ANNEALING},
        bounded=True,
        equals=(),
        elsewhere={"torch": "F.cross_entropy(torch.log1p(F.softplus(scores)), labels)  # without the penalty"},
        differs=_DIFFERS,
        oracle="torch.distributions.Dirichlet: mean and kl_divergence",
        aliases=("evidential", "edl"),
    ),
    "evidential_digamma": LossSpec(
        function="lossassay.losses.evidential:evidential_digamma",
        title="Evidential loss, expected cross-entropy",
        formula=r"\psi(S) - \psi(\alpha_y)" + _PENALTY,
        paper=_SENSOY,
        when="As the first evidential loss; little evidence costs more here than the mean of its distribution says.",
        encoding="integer",
        tasks=("single_label",),
        link="evidence",
        output="score",
        inputs=("epoch",),
        hyper_parameters={"annealing_epochs": _ANNEALING},
        bounded=True,
        equals=(),
        differs=_DIFFERS,
        oracle="slope of log-gamma by its argument, and torch.distributions.kl_divergence",
    ),
    "evidential_squared_error": LossSpec(
        function="lossassay.losses.evidential:evidential_squared_error",
        title="Evidential loss, expected squared error",
        formula=(
            r"\sum_c \left[(t_c - \hat p_c)^2 + \frac{\hat p_c(1 - \hat p_c)}{S + 1}\right]"
            + _PENALTY
            + r", \; \hat p = \alpha / S"
        ),
        paper=_SENSOY,
        when="The paper's choice of the three: steadiest, with the smallest gradients.",
        encoding="integer",
        tasks=("single_label",),
        link="evidence",
        output="score",
        inputs=("epoch",),
        hyper_parameters={"annealing_epochs": _ANNEALING},
        bounded=True,
        equals=(),
        differs=_DIFFERS,
        oracle="torch.distributions.Dirichlet: mean, variance and kl_divergence",
        aliases=("evidential_mse",),
    ),
}
