"""What every fast shutter must do."""

from __future__ import annotations

import asyncio
from importlib import import_module

import pytest

from firstlight.model import Shutter


class ShutterConformance:
    """Tests of one shutter.

    Derive a class from it with a fixture ``shutter`` that gives the shutter in any state. It is left closed.
    """

    @pytest.fixture
    def shutter(self) -> Shutter:
        """The shutter."""
        raise NotImplementedError("A conformance test needs a fixture 'shutter'.")

    def test_it_is_a_shutter_with_a_name(self, shutter: Shutter) -> None:
        assert isinstance(shutter, Shutter)
        assert shutter.name

    def test_it_opens_and_closes(self, shutter: Shutter) -> None:
        asyncio.run(shutter.open())
        assert shutter.is_open
        asyncio.run(shutter.close())
        assert not shutter.is_open

    def test_both_can_be_asked_for_twice(self, shutter: Shutter) -> None:
        async def story() -> None:
            await shutter.open()
            await shutter.open()
            assert shutter.is_open
            await shutter.close()
            await shutter.close()
            assert not shutter.is_open

        asyncio.run(story())

    def test_it_closes_also_while_it_opens(self, shutter: Shutter) -> None:
        async def story() -> None:
            opening = asyncio.ensure_future(shutter.open())
            await asyncio.sleep(0)
            await shutter.close()
            await asyncio.wait([opening])
            assert not shutter.is_open

        asyncio.run(story())

    def test_it_closes_after_an_order_to_open_was_cancelled(self, shutter: Shutter) -> None:
        async def story() -> None:
            opening = asyncio.ensure_future(shutter.open())
            await asyncio.sleep(0)
            opening.cancel()
            await asyncio.wait([opening])
            await shutter.close()
            assert not shutter.is_open

        asyncio.run(story())

    def test_the_stop_without_its_session_can_be_found(self, shutter: Shutter) -> None:
        way = shutter.out_of_band
        if way is not None:
            module, _, name = way.target.partition(":")
            assert callable(getattr(import_module(module), name))
            assert isinstance(dict(way.arguments), dict)
