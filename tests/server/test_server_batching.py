"""Requests share batches, wait in a bounded queue, and are dropped when their clients are."""

import asyncio
import threading

import pytest
from arithmetic import make_gauge
from serving import envelope, live, serving, wait_for

from harmgauge.server.batching import Batcher
from harmgauge.server.errors import ApiError
from harmgauge.server.metrics import Metrics


def batched(gauge, work, **options):
    """Run `work(batcher)` in an event loop, with a batcher that is ready."""

    async def run():
        batcher = Batcher(
            lambda: gauge,
            Metrics(),
            **{"size": 4, "wait_s": 0.0, "queue_size": 100, "most_s": 60.0, **options},
        )
        batcher.start(lambda: None)
        while batcher._gauge is None:
            await asyncio.sleep(0.01)
        gauge._scorer._runtime.batches.clear()
        try:
            return await work(batcher)
        finally:
            gauge._scorer._runtime.release()
            await batcher.close()

    return asyncio.run(run())


@pytest.fixture
def gauge():
    return make_gauge()


@pytest.fixture
def runtime(gauge):
    return gauge._scorer._runtime


async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)


def asked(batcher, *texts):
    return asyncio.ensure_future(batcher.verdicts(list(texts)))


def costs(verdicts):
    return [each.cost for each in verdicts]


def test_requests_that_wait_share_a_batch(gauge, runtime):
    async def work(batcher):
        runtime.hold()
        first = asked(batcher, "cat")
        await until(runtime.held.is_set)
        others = [asked(batcher, "dog", f"hello {'cat ' * n}") for n in range(2)]
        await until(lambda: batcher._waiting == 4)
        runtime.release()
        return [costs(found) for found in await asyncio.gather(first, *others)]

    found = batched(gauge, work)
    assert found == [costs(gauge.verdicts(each)) for each in (["cat"], ["dog", "hello"],
                                                              ["dog", "hello cat"])]  # fmt: skip
    assert len(runtime.batches) - 3 <= 3  # the three of the line above aside


def test_a_large_request_lets_small_ones_in_between(gauge):
    order = []

    async def work(batcher):
        async def ask(name, *texts):
            found = await batcher.verdicts(list(texts))
            order.append(name)
            return costs(found)

        gauge._scorer._runtime.hold()
        first = asyncio.ensure_future(ask("first", "dog"))
        await until(gauge._scorer._runtime.held.is_set)
        texts = [f"{'cat ' * (n % 7)} tree" for n in range(20)]
        large = asyncio.ensure_future(ask("large", *texts))
        await until(lambda: batcher._waiting == 20)
        small = asyncio.ensure_future(ask("small", "cat"))
        await until(lambda: batcher._waiting == 21)
        gauge._scorer._runtime.release()
        await asyncio.gather(first, large, small)
        assert large.result() == costs(gauge.verdicts(texts))

    batched(gauge, work)
    assert order == ["first", "small", "large"]


def test_of_requests_of_one_size_one_is_finished_before_the_next(gauge, runtime, monkeypatch):
    judged, verdicts = [], gauge.verdicts
    monkeypatch.setattr(gauge, "verdicts", lambda texts: judged.extend(texts) or verdicts(texts))

    async def work(batcher):
        runtime.hold()
        first = asked(batcher, "dog")
        await until(runtime.held.is_set)
        others = [asked(batcher, *[f"{name} {'cat ' * n}" for n in range(6)])
                  for name in ("hello", "rain")]  # fmt: skip
        await until(lambda: batcher._waiting == 12)
        runtime.release()
        await asyncio.gather(first, *others)

    batched(gauge, work)
    assert [text.split()[0] for text in judged[-13:]] == ["dog", *["hello"] * 6, *["rain"] * 6]


def test_a_full_queue_refuses(gauge, runtime):
    async def work(batcher):
        runtime.hold()
        first = asked(batcher, "cat")
        await until(gauge._scorer._runtime.held.is_set)
        second = asked(batcher, "cat", "dog", "tree")
        await until(lambda: batcher._waiting == 3)
        with pytest.raises(ApiError) as refused:
            await batcher.verdicts(["rain"])
        runtime.release()
        await asyncio.gather(first, second)
        assert await batcher.verdicts(["rain"])  # there is room again
        return refused.value

    refused = batched(gauge, work, queue_size=3)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) >= 1


def test_what_would_come_too_late_is_refused(gauge, runtime):
    async def work(batcher):
        runtime.hold()
        first = asked(batcher, "cat")
        await until(runtime.held.is_set)
        assert batcher._pace > 0  # that of the start
        batcher._pace = 0.01  # of 1000 a text, and its characters
        second = asked(batcher, "dog", "tree")  # nothing waits: however long it takes
        await until(lambda: batcher._waiting == 2)
        with pytest.raises(ApiError) as refused:
            await batcher.verdicts(["rain"])
        second.cancel()
        await until(second.done)
        third = asked(batcher, "rain")
        await until(lambda: batcher._waiting == 1)
        runtime.release()
        await asyncio.gather(first, third)
        assert (batcher._waiting, batcher._work_waiting) == (0, 0)
        return refused.value

    refused = batched(gauge, work, most_s=15.0)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "20"


def test_what_nobody_waits_for_is_dropped(gauge, runtime):
    async def work(batcher):
        runtime.hold()
        first = asked(batcher, "cat")
        await until(gauge._scorer._runtime.held.is_set)
        dropped = asked(batcher, *["dog"] * 5)
        await until(lambda: batcher._waiting == 5)
        dropped.cancel()
        await until(dropped.done)
        assert batcher._waiting == 0
        runtime.release()
        await first

    batched(gauge, work)
    assert runtime.batches == [1]


def test_a_failure_of_the_gauge_fails_its_batch_alone(gauge, runtime, monkeypatch):
    def broken(exchanges):
        raise MemoryError

    async def work(batcher):
        with monkeypatch.context() as patch:
            patch.setattr(gauge, "verdicts", broken)
            with pytest.raises(ApiError) as failed:
                await batcher.verdicts(["cat"])
        assert failed.value.status_code == 500
        return costs(await batcher.verdicts(["cat"]))

    assert batched(gauge, work) == costs(gauge.verdicts(["cat"]))


def test_what_was_accepted_is_finished_and_no_more_taken(gauge, runtime):
    async def work(batcher):
        runtime.hold()
        first = asked(batcher, "cat")
        await until(runtime.held.is_set)
        waiting = [first, asked(batcher, "dog")]
        await until(lambda: batcher._waiting == 1)
        closing = asyncio.ensure_future(batcher.close())
        await until(lambda: batcher._closed)
        with pytest.raises(ApiError):
            await batcher.verdicts(["late"])
        runtime.release()
        await closing
        return [costs(found) for found in await asyncio.gather(*waiting)]

    assert batched(gauge, work) == [[0.5], [-1.5]]


def test_overload_is_told_with_when_to_come_back():
    gauge = make_gauge()
    runtime = gauge._scorer._runtime
    with live(gauge, queue_size=2, max_exchanges=2, batch_size=1) as server:
        runtime.hold()
        answers = []

        def ask():
            body = {"exchanges": ["cat", "dog"]}
            answers.append(server.client.post("/v1/score", json=body))

        threads = [threading.Thread(target=ask) for _ in range(5)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(answers) >= 3)
        runtime.release()
        for thread in threads:
            thread.join()
    refused = [each for each in answers if each.status_code != 200]
    assert 3 <= len(refused) < 5
    for each in refused:
        envelope(each, 503, "overloaded")
        assert int(each.headers["retry-after"]) >= 1


def test_a_request_that_takes_too_long_is_told():
    gauge = make_gauge()
    with serving(gauge, request_timeout_s=0.2) as client:
        gauge._scorer._runtime.hold()
        given = client.post("/v1/score", json={"exchanges": ["cat"]})
        gauge._scorer._runtime.release()
        envelope(given, 503, "timeout")
        assert client.post("/v1/score", json={"exchanges": ["cat"]}).status_code == 200


def test_only_so_many_requests_are_in_work():
    gauge = make_gauge()
    with live(gauge, max_requests=1) as server:
        gauge._scorer._runtime.hold()
        first = threading.Thread(
            target=server.client.post,
            args=("/v1/score",),
            kwargs={"json": {"exchanges": ["cat"]}},
        )
        first.start()
        wait_for(gauge._scorer._runtime.held.is_set)
        assert server.client.get("/info").status_code == 503
        for probe in ("/healthz", "/readyz", "/metrics"):
            assert server.client.get(probe).status_code == 200
        gauge._scorer._runtime.release()
        first.join()
        assert server.client.get("/info").status_code == 200
