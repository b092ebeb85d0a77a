"""Python in colours that a terminal's owner has made readable."""

from __future__ import annotations

from rich.style import Style
from rich.syntax import Syntax, SyntaxTheme, TokenType
from rich.text import Text

from gptdoctor.report.theme import STYLES

# The beginnings of pygments' token types that are coloured; all else is as it stands.
_ROLES: dict[TokenType, str] = {
    ("Comment",): "python.comment",
    ("Keyword",): "python.keyword",
    ("Operator", "Word"): "python.keyword",
    ("Literal", "String"): "python.string",
    ("Literal", "Number"): "python.number",
    ("Name", "Decorator"): "python.decorator",
}


class _Roles(SyntaxTheme):
    """A theme of the roles that `theme.py` names."""

    def get_style_for_token(self, token_type: TokenType) -> Style:
        """The style of the role that a token plays."""
        for length in (1, 2):
            role = _ROLES.get(tuple(token_type[:length]))
            if role is not None:
                return Style.parse(STYLES[role])
        return Style.null()

    def get_background_style(self) -> Style:
        """The terminal's own."""
        return Style.null()


def highlighted(text: str) -> Text:
    """The text in the colours of its tokens."""
    return Syntax("", "python", theme=_Roles()).highlight(text)
