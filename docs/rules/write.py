"""Writes the pages of the rules beside this file, and takes away those of rules that are gone.

python docs/rules/write.py
"""

from __future__ import annotations

from pathlib import Path

from gptdoctor.report.rule_pages import rule_pages

FOLDER = Path(__file__).parent


def main() -> None:
    """Write all pages."""
    pages = rule_pages()
    for left_over in FOLDER.glob("*.md"):
        if left_over.name not in pages:
            left_over.unlink()
            print(f"removed {left_over.name}")
    for name, text in pages.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    print(f"wrote {len(pages)} pages")


if __name__ == "__main__":
    main()
