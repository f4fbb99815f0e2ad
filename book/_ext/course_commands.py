"""The page of commands: the line ``<!-- commands -->`` becomes one section per command with its own help."""

from __future__ import annotations

__all__ = ["command_helps", "commands_markdown", "setup"]

MARKER = "<!-- commands -->"
WIDTH = 78


def command_helps() -> dict[str, str]:
    """Every command, such as ``"cmslabs data fetch"``, with the text of its ``--help``."""
    import typer

    from cmslabs.cli.main import app

    found: dict[str, str] = {}

    def walk(command, name: str, parent) -> None:
        context = command.make_context(name.split()[-1], [], parent=parent, resilient_parsing=True)
        context.terminal_width = context.max_content_width = WIDTH
        children = getattr(command, "commands", {})
        if not children:
            found[name] = command.get_help(context)
        for child_name, child in children.items():
            walk(child, f"{name} {child_name}", context)

    walk(typer.main.get_command(app), "cmslabs", None)
    return found


def commands_markdown() -> str:
    """One section per command."""
    return "\n\n".join(f"## `{name}`\n\n```text\n{text.strip()}\n```" for name, text in command_helps().items())


def _insert(app, docname, source) -> None:
    if MARKER in source[0]:
        source[0] = source[0].replace(MARKER, commands_markdown())


def setup(app):
    """Listen to every page that is read."""
    app.connect("source-read", _insert)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
