"""How much of everything there may be. Each number with its reason.

The engine enforces these, not a store, so that all stores decide alike. No part grows
without end. All of them at their bounds at once, which nobody has seen, would be about
350 KB of JSON; DynamoDB keeps it compressed, in an item of 400 KB at most.
"""

from __future__ import annotations

KB = 1024
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

STEPS_PER_REACTION = 200  # what is over waits for the next wake-up, so that one
SENDS_PER_REACTION = 32  # customer can't hold up everybody else in the batch
EMIT_GENERATIONS = 4  # an event that causes an event that causes …
EMITS_AT_ONCE = 16
TOLD_AT_ONCE = 500  # of who the customer is: one event may change all segments

LISTS = 200  # static lists that one customer is on

PROFILE_KEYS = 200
PROFILE_BYTES = 16 * KB
CONSENTS = 200
CONSENTS_BYTES = 24 * KB
ADDRESSES = 200
SUPPRESSIONS = 250_000  # 4 to 5 MB, which every process reads when it starts
ACTIVE_RUNS = 50
ACTIVE_BYTES = 64 * KB
ENTRY_BYTES = 4 * KB  # of one enrollment's entry event, the named fields only
VARIABLES_BYTES = 8 * KB  # of one message
RESULT_BYTES = 2 * KB  # of one Call: what a journey branches on, not a document
ITEM_BYTES = 512  # of one event that a Collect lists: a line of a message
ITEMS_BYTES = 4 * KB  # of one Collect; half of what a message's variables may take
ITEM_KEYS = 250  # of one Collect with a `by`: five times what it lists, in 4 KB
PAST_KEYS = 200
PAST_BYTES = 16 * KB
PAST_KEY_MS = (
    400 * DAY_MS
)  # a year and a month: yearly journeys still know the last run
KEY_CHARACTERS = 256
LEDGER = 500
LEDGER_BYTES = 64 * KB
SURVEYS = 50  # in the ledger: at one in 90 days nobody comes by a second one
HELD = 32  # messages that came back: as many as one reaction releases
HELD_BYTES = 32 * KB
PROGRESS_ROWS = 50  # values of the key on the way to one trigger: as many as may run
PROGRESS_BYTES = 24 * KB  # on the way to all triggers
IDENTIFIERS = 100  # of one customer: browsers forget, and get a new name each time
IDENTIFIERS_BYTES = 8 * KB  # 80 each, of which a usual one takes half
ABSORBED_BYTES = 8 * KB  # of whom it is known that they are in: about 180 browsers
EARLY = 8  # of one journey's latest runs it is known whether they ended early
SEEN = 512
SEEN_MS = 48 * HOUR_MS  # twice the day for which SQS and EventBridge retry by default
TRACE_BYTES = 32 * KB
FIELDS_SHOWN = 40  # of one entry in the trace
VALUE_CHARACTERS = 256  # of one value in the trace

FAILURE_MS = 3 * DAY_MS  # for so long SMS carriers try; mail servers give up sooner
"""How late a report may say that a message never arrived, and the caps get it back."""
CONFIRM_MS = 30 * DAY_MS  # as long as the link that confirms is good
"""How long a run waits for a consent to be confirmed."""
SURVEY_MS = (
    92 * DAY_MS
)  # the answer page's links are good for 90 days from the decision
"""How long a survey's message stays in the ledger, so that an answer counts once."""
REPLY_MS = 7 * DAY_MS  # later, a number may be about anything
"""How late a reply may come that is taken for the answer to a survey."""
ENGAGED_MS = HOUR_MS  # who reads a message opens it more than once: one write is enough
"""How long after an engagement another one is not written down."""
SCORES = 50  # of one customer
SCORE_CHARACTERS = 64  # of a score that is a name
SOURCE_CHARACTERS = 64  # of a consent: a name, not a story
FUTURE_MS = 5 * 60 * 1000  # clocks differ; more than this is a mistake of the sender's
CATCH_UP_MS = HOUR_MS  # between two messages of one run that a late tick released
"""The longest pause between two such messages; a shorter wait between them counts."""
