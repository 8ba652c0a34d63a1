"""Everybody in a stack, as an operator's machine reads them: to be counted, not changed.

The customers table is read whole, once for each look: a read unit for every 4 KB. That
takes `cloudformation:DescribeStacks` for the stack, `dynamodb:Scan` on the customers
table, `GetItem` and `Query` on the state table, and the stack's key through DynamoDB.
"""

from __future__ import annotations

from typing import NamedTuple

from journeykit.aws.catalogs import DynamoCatalogs
from journeykit.aws.clients import client
from journeykit.aws.customers import DynamoCustomers
from journeykit.aws.failures import translated
from journeykit.aws.stack import Stack
from journeykit.errors import DefinitionError
from journeykit.ports import CatalogDocument, Scan
from journeykit.runtime.catalogs import NOTHING_PUBLISHED


class Crowd(NamedTuple):
    """The customers of a stack, and what is published there.

    Attributes:
        scan: All customers; who can't be read is passed over.
        catalog: The newest published catalog.
    """

    scan: Scan
    catalog: CatalogDocument


def crowd_of(stack: Stack) -> Crowd:
    """Reach the customers of a stack with the credentials of whoever asks.

    Raises:
        DefinitionError: Nothing is published there.
        InputError: There is no such stack.
        StoreError: AWS can't be asked.
    """
    customers, state = stack.output("CustomersTable"), stack.output("StateTable")
    with translated("the account"):
        dynamodb = client("dynamodb")
    catalog = DynamoCatalogs(dynamodb, state).current()
    if catalog is None:
        raise DefinitionError(NOTHING_PUBLISHED)
    scan = DynamoCustomers(
        dynamodb, customers, log=_nothing, bury=_nothing, clock=lambda: 0
    )
    return Crowd(scan, catalog)


def _nothing(_: object) -> None:
    """Nothing is written here."""
