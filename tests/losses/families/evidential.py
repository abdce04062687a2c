"""Independent values and wrong versions of evidential losses."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch.distributions import Dirichlet, kl_divergence

from tests.losses.families.common import Tensor, one_hot, true_class

Evidence = Callable[[Tensor], Tensor]


def softplus(z: Tensor) -> Tensor:
    return (1 + z.exp()).log()


def penalty(alpha: Tensor, y: Tensor) -> Tensor:
    """Divergence from no evidence at all of the evidence for wrong classes."""
    rows = one_hot(y, alpha.shape[1])
    return kl_divergence(Dirichlet(rows + (1 - rows) * alpha), Dirichlet(torch.ones_like(alpha)))


def slope_of_log_gamma(x: Tensor) -> Tensor:
    return torch.autograd.grad(torch.lgamma(x).sum(), x, create_graph=True)[0]


def _log(alpha: Tensor, y: Tensor) -> Tensor:
    return -true_class(Dirichlet(alpha).mean, y).log()


def _digamma(alpha: Tensor, y: Tensor) -> Tensor:
    if not alpha.requires_grad:
        alpha = alpha.detach().requires_grad_()
    with torch.enable_grad():
        return slope_of_log_gamma(alpha.sum(-1)) - true_class(slope_of_log_gamma(alpha), y)


def _squared(alpha: Tensor, y: Tensor) -> Tensor:
    found = Dirichlet(alpha)
    return (one_hot(y, alpha.shape[1]) - found.mean).square().sum(-1) + found.variance.sum(-1)


def evidential(
    of: Callable[[Tensor, Tensor], Tensor], *, evidence: Evidence = softplus, prior: float = 1.0, first: int = 1
) -> Callable[..., Tensor]:
    """One of the three losses of the paper; the other arguments make it a wrong one."""

    def loss(z: Tensor, y: Tensor, epoch: int, annealing_epochs: int) -> Tensor:
        alpha = evidence(z) + prior
        share = (epoch - first) / annealing_epochs if annealing_epochs else 1.0
        return of(alpha, y) + min(1.0, share) * penalty(alpha, y)

    return loss


_FORMS = {"evidential_log": _log, "evidential_digamma": _digamma, "evidential_squared_error": _squared}

ORACLES: dict[str, Callable[..., Tensor]] = {name: evidential(of) for name, of in _FORMS.items()}


def _wrong(of: Callable[[Tensor, Tensor], Tensor]) -> dict[str, Callable[..., Tensor]]:
    def without_a_mask(z: Tensor, y: Tensor, epoch: int, annealing_epochs: int) -> Tensor:
        alpha = softplus(z) + 1
        share = min(1.0, (epoch - 1) / annealing_epochs) if annealing_epochs else 1.0
        return of(alpha, y) + share * kl_divergence(Dirichlet(alpha), Dirichlet(torch.ones_like(alpha)))

    def against_the_prior_first(z: Tensor, y: Tensor, epoch: int, annealing_epochs: int) -> Tensor:
        alpha = softplus(z) + 1
        rows = one_hot(y, z.shape[1])
        turned = kl_divergence(Dirichlet(torch.ones_like(alpha)), Dirichlet(rows + (1 - rows) * alpha))
        return of(alpha, y) + min(1.0, (epoch - 1) / annealing_epochs if annealing_epochs else 1.0) * turned

    return {
        "relu": evidential(of, evidence=F.relu),
        "exp": evidential(of, evidence=torch.exp),
        "no prior": evidential(of, prior=1e-3),
        "epochs counted from 0": evidential(of, first=0),
        "no penalty": lambda z, y, epoch, annealing_epochs: of(softplus(z) + 1, y),
        "penalty on the true class too": without_a_mask,
        "divergence the other way round": against_the_prior_first,
        "penalty not annealed": lambda z, y, epoch, annealing_epochs: evidential(of)(z, y, epoch, 0),
    }


MUTANTS: dict[str, dict[str, Callable[..., Tensor]]] = {name: _wrong(of) for name, of in _FORMS.items()}
MUTANTS["evidential_squared_error"]["no variance"] = evidential(
    lambda alpha, y: (one_hot(y, alpha.shape[1]) - Dirichlet(alpha).mean).square().sum(-1)
)
MUTANTS["evidential_log"]["expected cross-entropy"] = ORACLES["evidential_digamma"]
MUTANTS["evidential_digamma"]["likelihood of the mean"] = ORACLES["evidential_log"]
