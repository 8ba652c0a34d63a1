"""The tables of the warehouse, in SQL: how lines become rows, and rows tables.

The text is put together of constants that stand here; whatever comes from logs,
definitions and people is a parameter.
"""

from __future__ import annotations

from journeykit.model.envelopes import HTTP

DECISION = {
    "customer": "VARCHAR",
    "revision": "INTEGER",
    "n": "INTEGER",
    "at": "VARCHAR",
    "now": "VARCHAR",
    "kind": "VARCHAR",
    "journey": "VARCHAR",
    "version": "INTEGER",
    "enrollment": "VARCHAR",
    "step": "VARCHAR",
    "reason": "VARCHAR",
    "event": "VARCHAR",
    "source": "VARCHAR",
    "test": "BOOLEAN",
    "detail": 'STRUCT(delivery_id VARCHAR, channel VARCHAR, "template" VARCHAR, '
    '"value" VARCHAR, "until" VARCHAR, segment VARCHAR, "from" VARCHAR, '
    'stage VARCHAR, "in" VARCHAR[], "out" VARCHAR[], log_id VARCHAR, '
    "after_end BOOLEAN, held BOOLEAN, rule VARCHAR, guard VARCHAR, path VARCHAR, "
    "survey VARCHAR, asks VARCHAR)",
}

EVENT = {
    "id": "VARCHAR",
    "name": "VARCHAR",
    "detail-type": "VARCHAR",
    "source": "VARCHAR",
    "time": "VARCHAR",
    "customer": "VARCHAR",
    "occurred_at": "VARCHAR",
    "received_at": "VARCHAR",
    "test": "BOOLEAN",
    "properties": "JSON",
    "detail": "JSON",
}

MOST_WORTH = 1e15
"""Numbers beyond it, on either side, are taken for nonsense: they would hide all others."""


def number_at(pointer: str, properties: str = "properties") -> str:
    """In SQL: the number in a field of an event; null where there is none.

    Text is none, whatever it looks like: the engine takes numbers for numbers only.

    Args:
        pointer: Where the field is, as a parameter such as `$pointer`.
        properties: A column of ours.
    """
    number = f"TRY_CAST(json_extract_string({properties}, {pointer}) AS DOUBLE)"
    return (
        f"case when json_type({properties}, {pointer}) "
        "in ('UBIGINT', 'BIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE') "
        f"and {number} between -{MOST_WORTH} and {MOST_WORTH} then {number} end"
    )


_SHORT = "TRY_CAST('0x' || substr({}, 1, 16) AS UBIGINT)"


def _ms(text: str) -> str:
    return f"epoch_ms(TRY_CAST({text} AS TIMESTAMPTZ))"


LOAD_DECISIONS = f"""
insert into decisions
select
    {_SHORT.format("customer")}, revision, n, {_ms('"at"')},
    -- Nearly always both are one instant, which is read once.
    case when now = "at" then {_ms('"at"')} else {_ms("now")} end, kind,
    coalesce(journey, ''), coalesce(version, 0),
    case when enrollment is not null then hash(enrollment) end,
    coalesce(step, ''), coalesce(reason, ''),
    -- Of a call, and in a log that is older than `source`, the id alone is known.
    case when event is null then null  -- whose hash is a number
        when source is null then hash(event) else hash(source, event) end,
    {_SHORT.format("detail.delivery_id")}, detail.channel, detail."template",
    case when TRY_CAST(detail."value" AS DOUBLE)
        between -{MOST_WORTH} and {MOST_WORTH}
        then TRY_CAST(detail."value" AS DOUBLE) end, {_ms('detail."until"')}, detail.segment,
    case when kind = 'stage' then coalesce(detail."from", '') end,
    coalesce(detail.after_end, false), coalesce(detail.held, false),
    case when kind in ('suppressed', 'deferred', 'branched', 'undelivered')
        then coalesce(detail.guard, detail.rule) end,
    detail.path, coalesce(test, false),
    case when kind = 'judged' then detail.stage end,
    case when kind = 'judged' then detail."in" end,
    case when kind = 'judged' then detail."out" end,
    detail.survey, detail.asks,
    case when kind = 'identity' then {_SHORT.format("detail.log_id")} end
from read_json(
    $files, format = 'newline_delimited', columns = $columns, ignore_errors = true,
    maximum_object_size = 4194304, union_by_name = true
)
where customer is not null and kind is not null
    and ($until is null or {_ms("now")} < $until)
"""

KEEP_JOURNEY = "delete from decisions where journey not in ('', $journey)"

# An envelope of EventBridge has its event in `detail`; `journeykit.model.envelopes` says
# what is taken from where.
_SOURCE = f"""
    case when "detail-type" is not null and source = '{HTTP}'
            and detail->>'$.received_at' is not null
        then coalesce(detail->>'$.source', '') else coalesce(source, '') end
"""

LOAD_EVENTS = f"""
insert into arrived
select
    hash({_SOURCE}, coalesce(detail->>'$.id', id)),
    coalesce(detail->>'$.id', id),
    {_SOURCE},
    coalesce("detail-type", name),
    coalesce(detail->>'$.customer', customer, ''),
    {_ms("coalesce(detail->>'$.occurred_at', occurred_at, time)")},
    {_ms("coalesce(detail->>'$.received_at', received_at, time, occurred_at)")},
    -- When an event arrived only a door's stamp says, or the bus's.
    coalesce(
        received_at, detail->>'$.received_at', case when "detail-type" is not null then time end
    ) is not null,
    coalesce(test, TRY_CAST(detail->>'$.test' AS BOOLEAN), false),
    case when "detail-type" is null then coalesce(properties, '{{}}')
        else coalesce(detail->'$.properties', detail, '{{}}') end
from read_json(
    $files, format = 'newline_delimited', columns = $columns, ignore_errors = true,
    maximum_object_size = 4194304, union_by_name = true
)
where coalesce("detail-type", name) is not null
    and coalesce(detail->>'$.id', id) is not null
    and ($until is null or
        {_ms("coalesce(detail->>'$.received_at', received_at, time, occurred_at)")}
        < $until)
"""

TABLES = """
create table decisions (
    person UBIGINT, revision INTEGER, n INTEGER, happened_ms BIGINT, seen_ms BIGINT,
    kind VARCHAR, journey VARCHAR, version INTEGER, run UBIGINT, step VARCHAR,
    reason VARCHAR, event UBIGINT, delivery UBIGINT, channel VARCHAR,
    "template" VARCHAR, worth DOUBLE, until_ms BIGINT, segment VARCHAR,
    source_stage VARCHAR, after_end BOOLEAN, held BOOLEAN, rule VARCHAR, path VARCHAR,
    test BOOLEAN, stage VARCHAR, segments_in VARCHAR[], segments_out VARCHAR[],
    survey VARCHAR, asks VARCHAR, absorbed UBIGINT
);
create table arrived (
    event UBIGINT, id VARCHAR, source VARCHAR, name VARCHAR, customer VARCHAR,
    happened_ms BIGINT, received_ms BIGINT, stamped BOOLEAN, test BOOLEAN,
    properties VARCHAR
);
create table runs (
    run UBIGINT, person UBIGINT, journey VARCHAR, version INTEGER, event UBIGINT,
    entered_ms BIGINT, held_out BOOLEAN, test BOOLEAN, ended_ms BIGINT, outcome VARCHAR,
    reason VARCHAR, step VARCHAR, step_ms BIGINT
);
create table headless (
    run UBIGINT, person UBIGINT, journey VARCHAR, test BOOLEAN
);
create table goals (
    run UBIGINT, person UBIGINT, journey VARCHAR, goal VARCHAR, reached_ms BIGINT,
    worth DOUBLE, after_end BOOLEAN, held_out BOOLEAN, test BOOLEAN, event UBIGINT
);
create table visits (
    run UBIGINT, person UBIGINT, journey VARCHAR, version INTEGER, place INTEGER,
    step VARCHAR, arrived_ms BIGINT, left_ms BIGINT, next_step VARCHAR, test BOOLEAN
);
create table messages (
    delivery UBIGINT, run UBIGINT, person UBIGINT, journey VARCHAR, version INTEGER,
    step VARCHAR, channel VARCHAR, "template" VARCHAR, sent_ms BIGINT, test BOOLEAN,
    undelivered VARCHAR, delivered_ms BIGINT, opened_ms BIGINT, clicked_ms BIGINT,
    replied_ms BIGINT, bounced_ms BIGINT, complained_ms BIGINT, unsubscribed_ms BIGINT,
    survey VARCHAR, asks VARCHAR
);
create table unsent (
    run UBIGINT, person UBIGINT, journey VARCHAR, version INTEGER, step VARCHAR,
    happened_ms BIGINT, reason VARCHAR, rule VARCHAR, channel VARCHAR,
    "template" VARCHAR, test BOOLEAN
);
"""

# Instants that something may have: 1970 to 2100. What says another has no clock, and a
# figure that goes from the first to the last would be of nothing else.
_TIMELY = "happened_ms between 0 and 4102444800000"

LAST_ARRIVAL = f"""
select max(received_ms) from arrived
where stamped and not test and {_TIMELY.replace("happened", "received")}
"""

DROP_UNTIMELY = f"delete from arrived where coalesce(not ({_TIMELY}), true)"

# Ids have no sign, what is given has one: mixed, each would be divided as 128 bits, which
# takes longer than all else that is done with the row.
_IN_BUCKET = "{} % $buckets::UBIGINT = $bucket::UBIGINT"

_ENDED = "('completed', 'exited', 'failed')"

# Kinds that say at which step a run is. Reports on a message may come when the run is
# elsewhere, and a goal is reached anywhere.
_AT_A_STEP = """(
    'waiting', 'went_on', 'branched', 'split', 'updated', 'emitted', 'started',
    'took_out', 'repeated', 'called', 'collected', 'sent', 'suppressed', 'deferred',
    'fell_back', 'parked', 'exited', 'failed'
)"""

# Kinds with which a step is done: the same step behind one is another visit.
_DONE = """(
    'went_on', 'branched', 'split', 'updated', 'emitted', 'started', 'took_out',
    'repeated', 'sent', 'suppressed'
)"""

# A bucket's runs as they began and ended; where they stand, their visits tell.
BEGUN = f"""
create or replace temp table runs_begun as
with found as (
    select
        run,
        any_value(person) as person,
        any_value(journey) as journey,
        max(version) as version,
        any_value(event) filter (kind in ('entered', 'held_out')) as event,
        min(happened_ms) filter (kind in ('entered', 'held_out')) as entered_ms,
        bool_or(kind = 'held_out') as held_out,
        bool_or(test) as test,
        max(happened_ms) filter (kind in {_ENDED}) as ended_ms,
        max(kind) filter (kind in {_ENDED}) as ended,
        max(reason) filter (kind in ('exited', 'failed')) as reason,
        max(step) filter (kind in {_ENDED}) as ended_at
    from decisions
    where run is not null and {_IN_BUCKET.format("run")}
    group by run
)
select
    run, person, journey, version, event, entered_ms, held_out, test, ended_ms,
    case when held_out then 'held_out' else coalesce(ended, 'waiting') end as outcome,
    coalesce(reason, '') as reason, coalesce(ended_at, '') as step
from found
where entered_ms is not null and ($since is null or entered_ms >= $since)
"""

# Decisions of runs of which the log doesn't have the beginning; nearly always none.
FILL_HEADLESS = f"""
insert into headless
select run, person, journey, test from decisions
where run is not null and {_IN_BUCKET.format("run")}
    and not exists (select 1 from runs_begun b where b.run = decisions.run)
"""

FILL_VISITS = f"""
insert into visits
with told as (
    select
        d.run, d.step, d.happened_ms, d.kind, d.revision, d.n,
        lag(d.step) over told_of as step_before,
        lag(d.kind) over told_of as kind_before
    from decisions d
    where d.run is not null and {_IN_BUCKET.format("d.run")} and d.step <> ''
        and d.kind in {_AT_A_STEP} and d.n >= 0
        and not (d.kind = 'sent' and d.held)
        -- A message that came back is told of by its delivery; the run is elsewhere.
        and not (
            d.kind in ('deferred', 'suppressed', 'parked') and d.delivery is not null
        )
    window told_of as (partition by d.run order by d.revision, d.n)
),
begun as (
    select * from told
    where step_before is null or step <> step_before
        or (
            kind_before in {_DONE} and kind not in ('exited', 'failed', 'fell_back')
            -- A Send waits for word of its message, and a Survey for the answer.
            and not (kind_before in ('sent', 'suppressed') and kind in ('waiting', 'went_on'))
        )
),
placed as (
    select
        run, step, happened_ms,
        row_number() over placed_in as place,
        lead(step) over placed_in as next_step,
        lead(happened_ms) over placed_in as next_ms
    from begun
    window placed_in as (partition by run order by revision, n)
)
select
    p.run, r.person, r.journey, r.version, p.place, p.step, p.happened_ms,
    p.next_ms, p.next_step, r.test
from placed p join runs_begun r using (run)
where not r.held_out
"""

FILL_RUNS = f"""
insert into runs
select
    b.run, b.person, b.journey, b.version, b.event, b.entered_ms, b.held_out, b.test,
    b.ended_ms, b.outcome, b.reason,
    -- A run may end at a step that it took no notice of, such as a wait that was over.
    case when b.step = '' then coalesce(v.step, '') else b.step end,
    coalesce(v.arrived_ms, b.entered_ms)
from runs_begun b left join visits v
    on v.run = b.run and v.next_step is null and {_IN_BUCKET.format("v.run")}
"""

FILL_GOALS = """
insert into goals
select
    d.run, any_value(r.person), any_value(d.journey), d.reason, min(d.happened_ms),
    arg_min(d.worth, d.happened_ms), arg_min(d.after_end, d.happened_ms),
    any_value(r.held_out), any_value(r.test), arg_min(d.event, d.happened_ms)
from decisions d join runs r using (run)
where d.kind = 'goal'
group by d.run, d.reason
"""

FILL_MESSAGES = """
insert into messages
with released as (
    select
        delivery, any_value(run) as run, arg_max(person, revision) as person,
        any_value(journey) as journey, any_value(version) as version,
        any_value(step) as step, arg_max(channel, revision) as channel,
        arg_max("template", revision) as "template", min(happened_ms) as sent_ms,
        bool_or(test) as test, any_value(survey) as survey, any_value(asks) as asks
    from decisions
    where kind = 'sent' and delivery is not null
    group by delivery
),
lost as (
    -- A message that came back may be suppressed after all, or go a second time.
    select
        delivery, arg_max(kind, revision * 1024 + n) as kind,
        arg_max(reason, revision * 1024 + n) as reason
    from decisions
    where delivery is not null and kind in ('sent', 'undelivered', 'suppressed')
    group by delivery having bool_or(kind <> 'sent')
),
told as (
    select
        TRY_CAST('0x' || substr(properties->>'$.delivery_id', 1, 16) AS UBIGINT)
            as delivery,
        min(happened_ms) filter (name in (
            'message.delivered', 'message.opened', 'message.clicked', 'message.replied'
        )) as delivered_ms,
        min(happened_ms) filter (name = 'message.opened') as opened_ms,
        min(happened_ms) filter (name = 'message.clicked') as clicked_ms,
        min(happened_ms) filter (name = 'message.replied') as replied_ms,
        min(happened_ms) filter (name = 'message.bounced') as bounced_ms,
        min(happened_ms) filter (name = 'message.complained') as complained_ms,
        min(happened_ms) filter (name = 'message.unsubscribed') as unsubscribed_ms
    from arrived
    where name like 'message.%' and (
        -- What a machine did, such as a scanner of links, is nobody's.
        name = 'message.delivered'
        or coalesce(properties->>'$.automated', 'false') <> 'true'
    )
    group by 1
)
select
    m.delivery, m.run, m.person, m.journey, m.version, m.step, m.channel,
    m."template", m.sent_ms, m.test or coalesce(r.test, false),
    case when l.kind <> 'sent' then l.reason end,
    t.delivered_ms, t.opened_ms, t.clicked_ms, t.replied_ms, t.bounced_ms,
    t.complained_ms, t.unsubscribed_ms, m.survey, m.asks
from released m
    left join runs r using (run)
    left join lost l using (delivery)
    left join told t using (delivery)
where $since is null or r.run is not null
"""

FILL_UNSENT = """
insert into unsent
select
    d.run, r.person, d.journey, d.version, d.step, d.happened_ms, d.reason, d.rule,
    d.channel, d."template", r.test
from decisions d join runs r using (run)
where d.kind = 'suppressed' and d.delivery is null  -- else it was released before
"""

REFUSED = """
create view refused as
select person, journey, happened_ms, reason, test from decisions
where kind = 'not_entered'
"""

# An event that both logs know has one person here and one customer there.
TOLD_OF = """
create temp table told_of as
select event, min(person) as person, max(person) as other
from decisions where event is not null
group by event
"""

# What a decision knows by the id alone is an event of the archive if one only has that id,
# of whatever source, and nobody else has decided on that one.
BY_ID = """
create temp table by_id as
with found as (
    select hash(id) as by_id, min(event) as event, max(event) as other
    from arrived
    where hash(id) in (select event from told_of)
    group by 1
)
select
    f.by_id, f.event, t.person,
    f.event = f.other and t.person = t.other
        and coalesce(k.person = t.person and k.other = t.person, true) as is_clear,
    -- Where somebody else names that event, source and all, it is no loss: a call had the id.
    f.event <> f.other or (t.person <> t.other and k.event is null) as is_unclear
from found f join told_of t on t.event = f.by_id left join told_of k on k.event = f.event
"""

JOIN_BY_ID = """
update goals set event = by_id.event from by_id
where goals.event = by_id.by_id and by_id.is_clear;
update runs set event = by_id.event from by_id
where runs.event = by_id.by_id and by_id.is_clear;
insert into told_of
select event, person, person from by_id
where is_clear and event not in (select event from told_of)
"""

WHO = """
create temp table who as
with met as (
    select a.customer, t.person, count(*) as n
    from arrived a join told_of t using (event)
    where a.customer <> '' and t.person = t.other
    group by all
)
select customer, arg_max(person, n) as person from met group by customer
"""

# What arrived more than once, of which the first counts. To look for such first is cheaper
# than to make all distinct.
DROP_TWICE = """
delete from arrived where rowid in (
    select row_id from (
        select rowid as row_id, row_number() over (
            partition by event order by received_ms, rowid
        ) as nth
        from arrived
        where event in (select event from arrived group by event having count(*) > 1)
    ) where nth > 1
)
"""

EVENTS = """
create table events as
select
    a.event, a.id, a.source, a.name,
    coalesce(w.person, t.person, hash(a.customer)) as person,
    coalesce(w.person, t.person) is not null as customer_known,
    a.happened_ms, a.received_ms, a.test, a.properties
from arrived a
    left join who w on w.customer = a.customer and a.customer <> ''
    left join told_of t on t.event = a.event and t.person = t.other
"""

# Each customer's own: of those who were merged, `JOIN_STAYS` makes one person's.
STAYS = """
create table stays as
with merged as (
    -- Of a tombstone nobody is told that it is in nothing any more. What it was in goes
    -- on where the survivor has taken it in, which may be later by their own clock.
    select m.person, m.revision, m.n,
        coalesce(
            min(a.happened_ms) filter (a.happened_ms >= m.happened_ms), m.happened_ms
        ) as happened_ms
    from decisions m left join decisions a
        on a.absorbed = m.person and a.kind = 'identity' and a.reason = 'absorbed'
    where m.kind = 'identity' and m.reason = 'merged'
    group by m.person, m.revision, m.n, m.happened_ms
),
told as (
    select person, 'segment' as kind, segment as name, reason = 'entered' as is_in,
        happened_ms, revision, n
    from decisions where kind = 'segment' and not test
    union all
    select person, 'segment', unnest(segments_in), true, happened_ms, revision, n
    from decisions where kind = 'judged' and len(segments_in) > 0
    union all
    select person, 'segment', unnest(segments_out), false, happened_ms, revision, n
    from decisions where kind = 'judged' and len(segments_out) > 0
),
moves as (
    select * from told
    union all
    select m.person, 'segment', t.name, false, m.happened_ms, m.revision, m.n
    from merged m join (select distinct person, name from told) t using (person)
),
stages as (
    select person, 'stage' as kind,
        case when kind = 'judged' then stage when reason = 'none' then ''
            else reason end as name,
        happened_ms, revision, n
    from decisions
    where (kind = 'stage' and not test) or (kind = 'judged' and stage is not null)
    union all
    select person, 'stage', '', happened_ms, revision, n from merged
),
segment_stays as (
    select person, kind, name, is_in, happened_ms as from_ms,
        lead(happened_ms) over (
            partition by person, name order by revision, n
        ) as to_ms
    from moves
),
stage_stays as (
    select person, kind, name, happened_ms as from_ms,
        lead(happened_ms) over (partition by person order by revision, n) as to_ms
    from stages
)
select person, kind, name, from_ms, to_ms from segment_stays where is_in
union all
select person, kind, name, from_ms, to_ms from stage_stays where name <> ''
"""

# A person is in what either of the customers is in whom they were known as.
JOIN_STAYS = """
create temp table joined_stays as
with theirs as (
    select coalesce(u.heir, s.person) as person, s.kind, s.name, s.from_ms, s.to_ms
    from stays s left join united u on u.one = s.person
    where s.person in (select one from united union all select heir from united)
),
earlier as (
    select *, max(coalesce(to_ms, 9223372036854775807)) over (
        partition by person, kind, name order by from_ms, to_ms nulls last
        rows between unbounded preceding and 1 preceding
    ) as until_ms
    from theirs
),
numbered as (
    select *, count(*) filter (until_ms is null or until_ms < from_ms) over (
        partition by person, kind, name order by from_ms, to_ms nulls last
        rows between unbounded preceding and current row
    ) as nth
    from earlier
)
select person, kind, name, min(from_ms) as from_ms,
    case when bool_and(to_ms is not null) then max(to_ms) end as to_ms
from numbered group by person, kind, name, nth;
delete from stays
where person in (select one from united union all select heir from united);
insert into stays select person, kind, name, from_ms, to_ms from joined_stays
"""

# Everybody counts their own reactions, so those of people who are one now are counted
# anew: by when they were, those of who became part of another first.
RENUMBER = """
update decisions set revision = anew.revision
from (
    with concerned as (
        select one, heir, true as is_part from united
        union all
        select distinct heir, heir, false from united
    ),
    told as (
        select d.rowid as row_id, c.heir, c.is_part, d.person, d.revision,
            max(d.seen_ms) over (
                partition by d.person order by d.revision, d.n
                range between unbounded preceding and current row
            ) as seen_ms
        from decisions d join concerned c on d.person = c.one
    )
    select row_id, dense_rank() over (
        partition by heir order by seen_ms, not is_part, person, revision
    )::INTEGER as revision
    from told
) anew
where decisions.rowid = anew.row_id
"""

# Reactions whose decisions are not numbered from 0 without a gap, each once: by count, sum
# and sum of squares together, which is cheaper than to sort them.
FIND_ODD = f"""
insert into odd
select person, revision from decisions
where n >= 0 and {_IN_BUCKET.format("person")}
group by person, revision
having count(*) <> max(n) + 1
    or sum(n) <> max(n) * (max(n) + 1) // 2
    or sum(n * n) <> max(n) * (max(n) + 1) * (2 * max(n) + 1) // 6
union
select person, revision from decisions
where n < 0 and {_IN_BUCKET.format("person")}
group by person, revision, n, event
having count(*) > 1
"""

DROP_DOUBLES = """
delete from decisions where rowid in (
    select row_id from (
        select d.rowid as row_id, row_number() over (
            partition by d.person, d.revision, d.n, case when d.n < 0 then d.event end
            order by d.rowid
        ) as nth
        from decisions d join odd using (person, revision)
    ) where nth > 1
)
"""

COUNT_LACKING = """
select count(*) from (
    select 1 from decisions d join odd using (person, revision)
    where d.n >= 0
    group by d.person, d.revision having count(*) <> max(d.n) + 1
)
"""
