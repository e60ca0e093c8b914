"""The simulator as an aiohttp application: the vendors' paths, and /faults and /calls to steer and to watch it.

One request: note it in the journal, see which faults strike, let the vendor's pure endpoint make the answer, wait until
the latency has passed since its arrival (so the work is part of the latency), and send it as the faults want it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from time import monotonic

import orjson
from aiohttp import web

from shared.domain.times import Clock, utc_now
from simulator.asking import Answer, Ask, Endpoint, Refused, Vendor
from simulator.coinmarketcap import CoinMarketCap
from simulator.coins import load_coins, load_fiats, load_inactive
from simulator.cryptocompare import CryptoCompare
from simulator.delivery import Delivery
from simulator.distortion import Distortion
from simulator.faults import Faults, Kind, Strike, fault_from
from simulator.frankfurter import Frankfurter
from simulator.journal import Journal
from simulator.market import Market

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_simulator(
    *,
    coins: int = 600,
    seed: int = 1,
    latency_ms: float = 0,
    tick_ms: int = 1,
    clock: Clock = utc_now,
) -> web.Application:
    """A stand-in for the upstreams with that many coins. `tick_ms`: how long an observation stays the same, 0 = every
    request sees a new one. Two simulators with the same seed and clock state the same prices."""
    market = Market(
        load_coins(coins), [*load_inactive(), *load_fiats()], seed=seed, tick_ms=tick_ms, clock=clock
    )
    simulator = _Simulator(market, latency_ms=latency_ms, clock=clock)
    app = web.Application()
    for vendor in (CoinMarketCap(market), CryptoCompare(market), Frankfurter(market)):
        for path, endpoint in vendor.endpoints().items():
            app.router.add_get(path, simulator.handler(vendor, endpoint))
    app.router.add_get("/faults", simulator.list_faults)
    app.router.add_post("/faults", simulator.add_fault)
    app.router.add_delete("/faults", simulator.clear_faults)
    app.router.add_get("/calls", simulator.list_calls)
    app.router.add_delete("/calls", simulator.clear_calls)
    app.router.add_route("*", "/{path:.*}", simulator.unknown_path)
    app.on_shutdown.append(simulator.stop)
    return app


class _Simulator:
    """What the handlers share."""

    def __init__(self, market: Market, *, latency_ms: float, clock: Clock) -> None:
        self._market = market
        self._latency_ms = latency_ms
        self._clock = clock
        self._faults = Faults()
        self._journal = Journal()
        self._delivery = Delivery()

    def handler(self, vendor: Vendor, endpoint: Endpoint) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            arrived = monotonic()
            call = self._journal.note(request.path, request.query, source=vendor.name, time=self._clock())
            strike = self._faults.strike(request.path, call.ids)
            answer = self._answer(request, vendor, endpoint, strike)
            await self._delivery.wait_until(arrived + (self._latency_ms + strike.latency_ms) / 1000)
            return await self._delivery.send(request, answer, strike.delivering, call)

        return handle

    def _answer(self, request: web.Request, vendor: Vendor, endpoint: Endpoint, strike: Strike) -> Answer:
        now = self._clock()
        fault = strike.delivering
        if fault is not None and fault.kind is Kind.STATUS:
            refusal = vendor.error(int(fault.number("code")), now, fault.text("message"))
            retry_after = fault.text("retry_after")
            return replace(refusal, headers={"Retry-After": retry_after}) if retry_after else refusal
        ask = Ask(
            path=request.path,
            query=request.query,
            headers=request.headers,
            now=now,
            moment=self._market.observe(),
            distortion=Distortion(strike.distorting, self._market),
        )
        try:
            return endpoint(ask)
        except Refused as refused:
            return refused.answer

    async def unknown_path(self, request: web.Request) -> web.Response:
        call = self._journal.note(request.path, request.query, source="unknown", time=self._clock())
        call.status = 404
        return _json({"statusCode": 404, "error": "Not Found", "message": "Not Found"}, status=404)

    async def add_fault(self, request: web.Request) -> web.Response:
        try:
            fault = fault_from(await request.read(), since_ms=self._market.observe().ms)
        except ValueError as error:
            return _json({"error": str(error)}, status=400)
        self._faults.add(fault)
        return _json(fault.as_json(), status=201)

    async def list_faults(self, _request: web.Request) -> web.Response:
        return _json(self._faults.listed())

    async def clear_faults(self, _request: web.Request) -> web.Response:
        self._faults.clear()
        return _json([])

    async def list_calls(self, _request: web.Request) -> web.Response:
        return _json(self._journal.as_json())

    async def clear_calls(self, _request: web.Request) -> web.Response:
        self._journal.clear()
        return _json(self._journal.as_json())

    async def stop(self, _app: web.Application) -> None:
        """Lets go of everything that hangs."""
        self._delivery.stop()


def _json(data: object, *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(data), content_type="application/json")
