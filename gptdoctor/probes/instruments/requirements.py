"""What a probe needs of a specimen before it can measure."""

from __future__ import annotations

from gptdoctor.probes.probe import Abstention
from gptdoctor.specimen.objective import EXCHANGED
from gptdoctor.specimen.specimen import Specimen


def require_known_call(specimen: Specimen) -> None:
    """Abstain where nobody knows how to call the model; not where the user's code crashes."""
    construction = specimen.construction
    if construction.outcome == "not-built":
        raise Abstention("no call of the model was found: " + "".join(construction.tried[:1]))


def require_forward(specimen: Specimen) -> None:
    """Abstain where no forward pass works."""
    require_known_call(specimen)
    if specimen.construction.outcome != "built":
        raise Abstention("no forward pass works")


def require_logits(specimen: Specimen) -> None:
    """Abstain where the forward pass works and gives no logits: it is no language model."""
    require_known_call(specimen)
    if specimen.objective == EXCHANGED:
        raise Abstention("the model gives no logits")


def ids_of(specimen: Specimen) -> str:
    """The last input of token ids; abstain where the call takes none."""
    facts = specimen.construction.inputs
    name = next((fact.name for fact in reversed(facts) if fact.kind == "ids"), None)
    if name is None:
        raise Abstention("the call takes no token ids")
    return name


def has_sure_inputs(specimen: Specimen) -> bool:
    """Whether a crash is the code's: not where it was given token ids for want of a better idea.

    Nor where a mask that must be given fits only while B equals T: its form may be another one.
    """
    recipe, construction = specimen.recipe, specimen.construction
    if recipe is None:
        return True
    masks = (one for one in recipe.slots if one.kind == "mask" and one.required)
    masked = any(recipe.forms[one.name].shape is not None for one in masks)
    if masked and construction.batch == construction.length:
        return False
    return recipe.ids_sure or recipe.forms[recipe.ids].shape != ("B", "T")


def require_any_size(specimen: Specimen) -> None:
    """Abstain where there are inputs of one batch and one length alone."""
    if specimen.only_at:
        raise Abstention(specimen.only_at)
