"""What the tests of rules about routers share: the text of their statements."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Value

ROUTER_MEASURES = (
    "probes.routed_experts:largest_gradient",
    "probes.expert_routing:random_objective",
    "probes.instruments.weights:jitter",
)
ROWS_MEASURES = (
    "probes.instruments.expert_watch:heard_of",
    "probes.expert_routing:random_objective",
    "probes.instruments.weights:jitter",
)
# Statements that make `made`, what each call of `experts` gives, and its gradients.
ROWS = """\
made = []
for expert in experts:
    expert.register_forward_hook(lambda expert, given, output: made.append(output))
objective = random_objective(logits(model, random_ids()))
gradients = torch.autograd.grad(objective, made, allow_unused=True, materialize_grads=True)
"""


def router_learns(values: Mapping[str, Value]) -> str:
    """The largest gradients of a router and of its experts; "" if its weights are not known."""
    names, experts = values.get("router_parameters"), values.get("experts_list")
    if not isinstance(names, tuple) or not names:
        return ""
    # Weights in stacks are no module: all that is no router's stands for the experts.
    others = (
        f'experts = list(model.get_submodule("{experts}").parameters())\n'
        if experts
        else f"router_names = {list(names)!r}\n"
        "experts = [one for name, one in model.named_parameters() if name not in router_names]\n"
    )
    return (
        "model = jitter(build(), 0.05, seed=0)  # what starts at zero would hide all effects\n"
        "random_objective(logits(model, random_ids())).backward()\n"
        f"routers = [model.get_parameter(name) for name in {list(names)!r}]\n"
        f"{others}"
        "router, expert = largest_gradient(routers), largest_gradient(experts)\n"
        "# Rounding leaves up to 1e-7 of the experts' gradient where mathematics says 0.\n"
        'assert router >= 1e-6 * expert, f"{router:.2g} in the router, {expert:.2g} in experts"\n'
    )


def all_rows_count(values: Mapping[str, Value]) -> str:
    """The rows of experts that the logits depend on; "" if it is not known how many are due."""
    experts, chosen = values.get("experts_list"), values.get("chosen")
    if not experts or not isinstance(chosen, int):
        return ""
    return (
        "model = jitter(build(), 0.05, seed=0)  # what starts at zero would hide all effects\n"
        f'block = model.get_submodule("{experts}")\n'
        "experts = list(block.children()) or [block]  # or one with the weights of all\n"
        f"{ROWS}"
        "rows = sum(int(heard_of(each).sum()) for each in gradients)\n"
        f"wanted = {chosen} * B * T  # {chosen} experts for each token\n"
        "told = len(made) > 1  # what one call gives for all of them tells nothing of each\n"
        "assert rows >= wanted or not told, "
        'f"the logits depend on {rows} rows of experts, of {wanted}"\n'
    )
