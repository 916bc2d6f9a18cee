"""Finds links of the documents to files and headings that do not exist."""

import re

LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
CODE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)


def anchors(text):
    """Returns the anchors that GitHub gives to the headings."""
    for heading in HEADING.findall(CODE.sub("", text)):
        words = re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", heading)).lower()
        yield words.strip().replace(" ", "-")


def broken_links(repository, document):
    """Returns a sentence for each link that leads nowhere."""
    text = (repository / document).read_text()
    for target, anchor in LINK.findall(CODE.sub("", text)):
        file = (repository / document).parent / target if target else repository / document
        if not file.exists():
            yield f"{document}: there is no {target}"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
            yield f"{document}: {target or document} has no heading #{anchor}"
