"""What every store keeps: the promises of `journeykit.ports`, as tests to subclass.

There is a contract for each port, for whoever keeps only that, and `StoreContract`, which
is all of them.
"""

from journeykit.testing.store_contract.catalogs import (
    CatalogsContract as CatalogsContract,
)
from journeykit.testing.store_contract.customers import (
    CustomerStoreContract as CustomerStoreContract,
    ScanContract as ScanContract,
)
from journeykit.testing.store_contract.exact import (
    ClaimsContract as ClaimsContract,
    SlotsContract as SlotsContract,
)
from journeykit.testing.store_contract.identities import (
    ConflictsContract as ConflictsContract,
    IdentitiesContract as IdentitiesContract,
)
from journeykit.testing.store_contract.messages import (
    ContentsContract as ContentsContract,
    NoticesContract as NoticesContract,
    ReferencesContract as ReferencesContract,
)
from journeykit.testing.store_contract.outbox import (
    DeliveriesContract as DeliveriesContract,
    InboxContract as InboxContract,
    OutboxContract as OutboxContract,
)
from journeykit.testing.store_contract.privacy import (
    PrivacyContract as PrivacyContract,
)
from journeykit.testing.store_contract.records import (
    BookmarksContract as BookmarksContract,
    DeadLettersContract as DeadLettersContract,
    JobsContract as JobsContract,
    JournalContract as JournalContract,
)
from journeykit.testing.store_contract.whole import StoreContract as StoreContract
