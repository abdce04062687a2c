"""What a plan holds, costs and can show, in words."""

from lossassay.study.analysis.outlook import Outlook, outlook_in_words
from lossassay.study.planning.estimate import Estimate
from lossassay.study.planning.plan import Plan


def plan_words(plan: Plan, cost: Estimate, outlook: Outlook) -> list[str]:
    """Return one line for each thing worth saying before training.

    Args:
        plan: Every run.
        cost: On this machine.
        outlook: What the design can show.
    """
    engine, model = plan.engine, plan.model
    most = "at most " if plan.study.evidence.sequential else ""
    lines = [
        f"model {plan.study.training.model}: {model.parameters:,} parameters, "
        f"{model.multiply_accumulates / 1e6:,.1f} million multiply-accumulates per image",
        f"engine {engine.device}, {engine.precision}, {engine.kernels} kernels, {cost.workers} runs at once, "
        f"{engine.threads} thread(s) each",
        f"expected time {most}{_duration(cost.wall_seconds)} ({1 / cost.image_seconds:,.0f} training images/s per run, "
        "measured here on a few steps)",
        f"memory about {plan.run_memory_bytes / 2**30:.1f} GiB for each run at once",
        f"disk {most}{cost.disk_bytes / 2**20:,.0f} MiB, and {cost.checkpoint_bytes / 2**20:,.0f} MiB while it runs",
    ]
    if plan.study.tuning is not None:
        lines.append(
            f"tuning {most}{cost.tuning_jobs} jobs ({plan.study.tuning.scope}), {cost.tuning_trials:,} trials, "
            f"{sum(job.epochs for job in plan.jobs):,} epochs: {_duration(cost.tuning_seconds)} of the expected time"
        )
    for pair in plan.identities:
        if pair.relation != "different":
            lines.append(f"{pair.arm_a} and {pair.arm_b}: {pair.relation}")
    return [*lines, *outlook_in_words(plan.study, outlook, plan.metric)]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
