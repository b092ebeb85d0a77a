"""Names that speak of a training loss."""

from __future__ import annotations

import pytest

from gptdoctor.source.losses import is_loss_name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "loss",
            "lm_loss",
            "compute_loss",
            "CrossEntropyLoss",
            "NLLLoss",
            "loss_fn",
            "return_loss",
        ),
        *(
            "cross_entropy",
            "binary_cross_entropy_with_logits",
            "kl_div",
            "criterion",
            "nll",
            "losses",
        ),
    ],
)
def test_losses_are_known_by_their_names(name: str) -> None:
    """Functions, classes, attributes and flags."""
    assert is_loss_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("aux_loss", "load_balancing_loss", "router_z_loss", "commit_loss", "moeLoss", "vq_loss"),
        *("lossless", "gloss", "close", "logits", "entropy", "token_entropy", "forward"),
    ],
)
def test_side_losses_and_other_words_are_none(name: str) -> None:
    """What keeps a router or a codebook in order teaches no token."""
    assert not is_loss_name(name)
