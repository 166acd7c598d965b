"""README's session is true: its lines are run against a service started as a newcomer starts it."""

import re
import subprocess
import sys

from service.platform.settings import CHECKOUT
from tests.demo.running import new_demo

README = CHECKOUT / "README.md"
MARK = "=== end of a step ==="


def session() -> list[tuple[str, str]]:
    """Return README's commands, each with what it says that they print."""
    steps = list[tuple[str, str]]()
    for block in re.findall(r"```console\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], ""))
            else:
                command, printed = steps[-1]
                steps[-1] = command, f"{printed}\n{line}".strip()
    return steps


def test_readmes_session_prints_what_it_says() -> None:
    steps = session()
    assert len(steps) > 5
    with new_demo() as demo:
        demo.start()
        demo.wait_until_ready()
        script = "\n".join(f"{command}\necho '{MARK}'" for command, _ in steps)
        for written, here in (
            (":8080", f":{demo.port}"),
            (".loyalty/", f"{demo.folder}/"),
            ("./run", f"{sys.executable} -m service"),
        ):
            script = script.replace(written, here)
        result = subprocess.run(
            ["bash", "-c", script],
            env=demo.environment,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    printed = result.stdout.replace("\r", "").split(MARK)
    assert len(printed) == len(steps) + 1
    for (command, expected), text in zip(steps, printed, strict=False):
        pattern = re.escape(expected).replace(r"\.\.\.", ".+?")
        assert re.fullmatch(pattern, text.strip()), f"$ {command}\n{text}\n{result.stderr}"
