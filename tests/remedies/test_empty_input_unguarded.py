"""GD701: a model that is given nothing says what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.remedies.mending import PREFIX, again, declined, dedented, mended, run

MODULE = "inputs.empty_input_unguarded"

# name: (before, the lines that are added or that take another's place).
CASES = {
    "a mean": (
        """
        class Senses(nn.Module):
            def forward(self, text=None, sight=None):
                found = []
                if text is not None:
                    found.append(self.text(text))
                if sight is not None:
                    found.append(self.sight(sight))
                # their mean
                return sum(found) / len(found)  # HERE
        """,
        """
                if not found:
                    raise ValueError("Senses needs at least one of text, sight")
                # their mean
        """,
    ),
    "an assert that was the only guard": (
        """
        class Senses(nn.Module):
            def forward(self, text=None, sight=None):
                found = [x for x in (text, sight) if x is not None]
                assert len(found) > 0, "nothing given"
                return torch.stack(found).mean(0)  # HERE
        """,
        """
                found = [x for x in (text, sight) if x is not None]
                if not found:
                    raise ValueError("Senses needs at least one of text, sight")
                return torch.stack(found).mean(0)
        """,
    ),
    "an assert of the inputs": (
        """
        class Senses(nn.Module):
            def forward(self, text=None, sight=None):
                assert text is not None or sight is not None
                found = []
                if text is not None:
                    found.append(self.text(text))
                if sight is not None:
                    found.append(self.sight(sight))
                return torch.stack(found).mean(0)  # HERE
        """,
        """
                if not (text is not None or sight is not None):
                    raise ValueError("Senses needs at least one of text, sight")
                found = []
        """,
    ),
    "a helper of the model": (
        """
        class Model(nn.Module):
            def embed(self, ids=None, style=None, scale=1.0):
                parts = []
                if exists(ids):
                    parts.append(self.ids(ids))
                if exists(style) and exists(self.style):
                    parts.append(self.style(style))
                return scale * torch.cat(parts, dim=1)  # HERE
        """,
        """
                if not parts:
                    raise ValueError("Model.embed needs at least one of ids, style")
        """,
    ),
    "a counter": (
        """
        class Senses(nn.Module):
            def forward(self, text=None, sound=None):
                total, count = 0, 0
                if text is not None:
                    total, count = total + self.text(text), count + 1
                if sound is not None:
                    total, count = total + self.sound(sound), count + 1
                return total / count  # HERE
        """,
        """
                if count == 0:
                    raise ValueError("Senses needs at least one of text, sound")
        """,
    ),
    "a dict of parts": (
        """
        class Senses(nn.Module):
            def forward(self, image=None, sound=None):
                parts = {}
                if image is not None:
                    parts["image"] = self.image(image)
                if sound is not None:
                    parts["sound"] = self.sound(sound)
                return torch.cat(list(parts.values()), dim=1)  # HERE
        """,
        """
                if not parts:
                    raise ValueError("Senses needs at least one of image, sound")
        """,
    ),
    "keys of one argument": (
        """
        class Senses(nn.Module):
            def forward(self, batch):
                seen = []
                if "image" in batch:
                    seen.append(self.image(batch["image"]))
                if "text" in batch:
                    seen.append(self.text(batch["text"]))
                return functools.reduce(torch.add, seen) / len(seen)  # HERE
        """,
        """
                if not seen:
                    raise ValueError("Senses needs at least one of image, text")
        """,
    ),
    "a list that has no name": (
        """
        def fuse(*features):
            return torch.stack([f for f in features if f is not None]).mean(0)  # HERE
        """,
        """
            parts = [f for f in features if f is not None]
            if not parts:
                raise ValueError("fuse needs at least one input")
            return torch.stack(parts).mean(0)
        """,
    ),
    "a generator without parentheses of its own": (
        """
        def fuse(features):
            return sum(net(f) for f in features if known(f)) / 2  # HERE
        """,
        """
            parts = [net(f) for f in features if known(f)]
            if not parts:
                raise ValueError("fuse needs at least one input")
            return sum(parts) / 2
        """,
    ),
    "a list that is given": (
        """
        class Fuse(nn.Module):
            def forward(self, streams):
                return sum(streams) / len(streams)  # HERE
        """,
        """
                if len(streams) == 0:
                    raise ValueError("Fuse needs at least one input")
        """,
    ),
    "a long list of names": (
        """
        class OmniInputEncoder(nn.Module):
            def forward(self, text_ids=None, image_feat=None, audio_feat=None):
                parts = []
                if text_ids is not None:
                    parts.append(self.text(text_ids))
                if image_feat is not None:
                    parts.append(self.image(image_feat))
                if audio_feat is not None:
                    parts.append(self.audio(audio_feat))
                return sum(parts) / len(parts)  # HERE
        """,
        """
                if not parts:
                    raise ValueError(
                        "OmniInputEncoder needs at least one of text_ids, image_feat, audio_feat"
                    )
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_rewrites(name: str, tmp_path: Path) -> None:
    """The check stands right before the place, or where an assert stood."""
    before, lines = CASES[name]
    text = PREFIX + dedented(before)
    new = mended(MODULE, text, tmp_path)
    # The lines have the margin of the text that they are for.
    added = "".join(f"{line[8:]}\n" for line in lines.strip("\n ").split("\n"))
    assert added.strip("\n") in new, new
    assert "assert " not in new
    assert again(MODULE, text, new, tmp_path) == new


def test_the_error_names_what_is_accepted(tmp_path: Path) -> None:
    """Given nothing it raises; given something it is as before."""
    text = PREFIX + dedented(CASES["an assert that was the only guard"][0])
    model = run(mended(MODULE, text, tmp_path))["Senses"]()
    with pytest.raises(ValueError, match="at least one of text, sight"):
        model()
    one = run(PREFIX)["torch"].ones(2)
    assert model(one, 3 * one).tolist() == [2.0, 2.0]


DECLINES = {
    "refused already": (
        """
        def mean(parts=()):
            parts = list(parts)
            if not parts:
                raise ValueError("nothing given")
            return sum(parts) / len(parts)  # HERE
        """,
        "refused already",
    ),
    "nothing that could be empty": ("def f(x):\n    return x  # HERE\n", "not clear what"),
    "a quotient of tensors": ("def f(x):\n    return x / x.norm()  # HERE\n", "not clear what"),
    "a quotient of arguments": ("def f(x, s):\n    return x / s  # HERE\n", "not clear what"),
    "a fold of arguments": ("def f(x, s):\n    return torch.max(x, s)  # HERE\n", "not clear what"),
    "outside a function": (
        "parts = []\nmean = sum(parts) / len(parts)  # HERE\n",
        "not in a function",
    ),
    "several statements on a line": (
        "def f(x):\n    parts = []; return sum(parts) / len(parts)  # HERE\n",
        "share one line",
    ),
}


@pytest.mark.parametrize("name", DECLINES)
def test_it_declines(name: str, tmp_path: Path) -> None:
    """What is guarded, or not clear, is left alone."""
    body, reason = DECLINES[name]
    assert reason in declined(MODULE, PREFIX + dedented(body), tmp_path)
