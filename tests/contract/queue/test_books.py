"""Whatever happens in whatever order: accepted = waiting + processing + done + dead."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import WorkerGone
from shared.ports import DeadLetter, QueueDepth
from tests.contract.queue.arena import LONG, ROLE, Arena, OpenArena, held, refresh

ACTIONS = ["submit", "take", "finish", "bury", "give_back", "heartbeat", "retire", "fall_silent", "rescue"]
STEPS = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.sampled_from(["a", "b"]), st.integers(1, 4)),
    min_size=5,
    max_size=40,
)


def balance(depth: QueueDepth) -> int:
    return depth.accepted - depth.waiting - depth.processing - depth.done - depth.dead


async def submit(arena: Arena, count: int) -> None:
    try:
        await arena.queue.submit(
            ROLE, [refresh(number, number + 1) for number in range(1, count + 1)], wait=LONG
        )
    except WorkerGone:
        assert (await arena.queue.depth(ROLE)).workers == 0


async def act(arena: Arena, action: str, worker: str, count: int) -> None:
    queue = arena.queue
    in_hand = (await held(queue, worker))[:count] if action in {"take", "finish", "bury", "give_back"} else ()
    match action:
        case "submit":
            await submit(arena, count)
        case "finish":
            await queue.finish(ROLE, worker, done=in_hand)
        case "bury":
            await queue.finish(ROLE, worker, dead=[DeadLetter(delivery, "poison") for delivery in in_hand])
        case "give_back":
            await queue.give_back(ROLE, worker, in_hand)
        case "heartbeat":
            await queue.heartbeat(ROLE, worker)
        case "retire":
            await queue.retire(ROLE, worker)
        case "fall_silent":
            await arena.fall_silent()
        case "rescue":
            await queue.rescue(ROLE)


@settings(max_examples=40, deadline=None)
@given(steps=STEPS)
async def test_the_books_balance_after_every_step(
    open_arena: OpenArena, steps: Sequence[tuple[str, str, int]]
) -> None:
    async with open_arena() as arena:
        for action, worker, count in steps:
            await act(arena, action, worker, count)
            assert balance(await arena.queue.depth(ROLE)) == 0


@settings(max_examples=20, deadline=None)
@given(steps=STEPS)
async def test_every_accepted_command_can_be_brought_to_an_end(
    open_arena: OpenArena, steps: Sequence[tuple[str, str, int]]
) -> None:
    async with open_arena() as arena:
        for action, worker, count in steps:
            await act(arena, action, worker, count)
        await arena.fall_silent()
        await arena.queue.rescue(ROLE)
        await arena.queue.finish(ROLE, "last", done=await held(arena.queue, "last"))
        depth = await arena.queue.depth(ROLE)
        assert depth.accepted == depth.done + depth.dead
