"""Every link between the project's documents leads somewhere, headings included."""

import pathlib
import re
import subprocess
import sys


def anchors(text):
    """What GitHub makes of the headings."""
    for heading in re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
        yield re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


dead = []
documents = subprocess.run(["git", "ls-files", "*.md"], capture_output=True, text=True, check=True)
for name in documents.stdout.split():
    document = pathlib.Path(name)
    text = document.read_text()
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)
    for link, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", prose):
        if "://" in link:
            continue
        target = document.parent / link if link else document
        if not target.exists():
            dead.append(f"{name}: {link} does not exist")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text()):
            dead.append(f"{name}: {link}#{anchor} is no heading")
print("\n".join(dead) or "all links lead somewhere")
sys.exit(bool(dead))
