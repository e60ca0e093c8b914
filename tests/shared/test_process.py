"""What a process makes of errors that nobody waits for any more."""

from pathlib import Path

from tests.e2e.processes import Running

GIVES_UP = """
import asyncio, socket
from contextlib import asynccontextmanager
from shared.process import run_process

@asynccontextmanager
async def opened(_settings):
    yield serve

async def look_up():
    # Not a number, so this fails in a thread, without asking any server.
    connecting = asyncio.get_running_loop().create_connection(
        asyncio.Protocol, "redis", 6379, flags=socket.AI_NUMERICHOST
    )
    try:
        async with asyncio.timeout(0):
            await connecting
    except TimeoutError:
        return

async def serve(stop):
    await look_up()
    loop = asyncio.get_running_loop()
    loop.create_future().set_exception(RuntimeError("a defect"))
    loop.call_soon(socket.getaddrinfo, "redis", 6379, 0, 0, 0, socket.AI_NUMERICHOST)
    await stop.wait()

raise SystemExit(run_process("giving-up", opened))
"""


async def test_a_name_that_is_not_found_after_the_deadline_is_no_defect_and_other_errors_are(
    tmp_path: Path,
) -> None:
    program = tmp_path / "gives_up.py"
    program.write_text(GIVES_UP)
    running = await Running.start("gives-up", str(program), folder=tmp_path, env={"LOG_LEVEL": "debug"})
    try:
        await running.logged("name not found, and nobody waits for it")
        assert await running.stop() == 0
    finally:
        await running.kill()
    levels = [line["level"] for line in running.log_lines()]
    assert sorted(levels) == ["debug", "error", "error"]
    told = " ".join(line["event"] for line in running.log_lines() if line["level"] == "error")
    assert "a defect" in told
    assert "Exception in callback" in told
