/**
 * A commit is one call: one way to the server and back, one transaction, whatever number of writes.
 *
 * Locks are taken in one order by everybody (own row of `writers`, leadership, keys, tasks by id, clock):
 * so two processes do not wait for each other. Whoever claims a task that another process is changing does
 * not wait for it (`skip locked`): the claim is stale. The row of `clock` comes last: from there to the end
 * there is one process at a time, and whoever sees a cursor sees all before it.
 *
 * `writers`: the number of a process's commit is one above its last, and what became of it is kept until the
 * next. A process that lost its connection asks for it; having asked, it has used the number up, and a commit
 * that was still on its way fails.
 */
export const COMMIT_FUNCTION: string = `
create function evener.commit_writes(process_ text, number_ bigint, writes jsonb, bytes bytea[]) returns jsonb
language plpgsql as $body$
declare
  w jsonb;
  t evener.tasks;
  epoch_ bigint;
  other text;
  outcomes jsonb[] := '{}';
  noted jsonb[] := '{}';
  base bigint := 0;
  answer jsonb;
begin
  perform 1 from evener.writers where process = process_ and number = number_ - 1 for update;
  if not found then
    raise exception 'commit % of this process is not the next one', number_ using errcode = 'EV001';
  end if;
  if exists (select from jsonb_array_elements(writes) x where x->>'epoch' is not null) then
    select epoch into epoch_ from evener.leadership for share;
  end if;
  perform pg_advisory_xact_lock(h) from (
    select distinct hashtextextended(x->>'key', 0) as h
    from jsonb_array_elements(writes) x where x->>'key' is not null order by 1
  ) as keys;
  perform 1 from evener.tasks where id in (
    select x->>'id' from jsonb_array_elements(writes) x
    where x->>'do' = 'change' and not (x->'claim')::boolean
  ) order by id for update;

  for w in select x from jsonb_array_elements(writes) x loop
    if w->>'do' = 'submit' then
      other := null;
      if w->>'key' is not null then
        select k.id into other from evener.idempotency_keys k
        where k.key = w->>'key' and k.until_ms > (w->'row'->>'submitted_ms')::bigint;
      end if;
      if other is null then
        insert into evener.tasks select * from jsonb_populate_record(null::evener.tasks, w->'row')
        on conflict (id) do nothing;
        if not found then other := w->>'id'; end if;
      end if;
      if other is not null then
        outcomes := array_append(outcomes, jsonb_build_object('duplicate', other));
        continue;
      end if;
      if w->>'key' is not null then
        insert into evener.idempotency_keys values (w->>'key', w->>'id', (w->>'keyUntilMs')::bigint)
        on conflict (key) do update set id = excluded.id, until_ms = excluded.until_ms;
      end if;
      if w->>'bytes' is not null then
        insert into evener.payloads values (w->>'id', bytes[(w->>'bytes')::integer]);
      end if;
    elsif w->>'do' = 'change' then
      if (w->'claim')::boolean then
        select * into t from evener.tasks where id = w->>'id' for update skip locked;
      else
        select * into t from evener.tasks where id = w->>'id' for update;
      end if;
      if not found
        or not w->'states' @> to_jsonb(t.state)
        or (w->>'fence')::bigint <> t.fence
        or (w->>'epoch')::bigint <> epoch_
      then
        select * into t from evener.tasks where id = w->>'id';
        outcomes := array_append(
          outcomes, jsonb_build_object('stale', case when found then to_jsonb(t) end));
        continue;
      end if;
      t := jsonb_populate_record(t, w->'change');
      update evener.tasks set
        state = t.state, attempt = t.attempt, fence = t.fence, crashes = t.crashes, worker = t.worker,
        boot = t.boot, owner = t.owner, ready_ms = t.ready_ms, started_ms = t.started_ms,
        ended_ms = t.ended_ms, cancel_asked = t.cancel_asked, exit_code = t.exit_code, reason = t.reason
      where id = t.id;
      if w->>'bytes' is not null then
        insert into evener.results values (t.id, bytes[(w->>'bytes')::integer])
        on conflict (id) do update set bytes = excluded.bytes;
      elsif (w->'isResultGone')::boolean then
        delete from evener.results where id = t.id;
      end if;
    elsif w->>'do' = 'note' then
      perform 1 from evener.tasks where id = w->>'id';
      if not found then
        outcomes := array_append(outcomes, '{"stale": null}'::jsonb);
        continue;
      end if;
    else
      insert into evener.memories values (w->>'name', bytes[(w->>'bytes')::integer])
      on conflict (name) do update set bytes = excluded.bytes;
      outcomes := array_append(outcomes, '0'::jsonb);
      continue;
    end if;
    noted := array_append(noted, w);
    outcomes := array_append(outcomes, to_jsonb(cardinality(noted)));
  end loop;

  if cardinality(noted) > 0 then
    update evener.clock set cursor = cursor + cardinality(noted)
    returning cursor - cardinality(noted) into base;
    insert into evener.events
    select base + n, e->>'id', (e->'event'->>0)::integer, (e->'event'->>1)::bigint, (e->'event'->>2)::integer,
      (e->'event'->>3)::bigint, e->'event'->>4, e->'event'->>5,
      case when e->>'do' = 'note' then bytes[(e->>'bytes')::integer] end
    from unnest(noted) with ordinality as x(e, n);
    perform pg_notify('evener_tasks', '');
  end if;
  answer := jsonb_build_object('base', base, 'outcomes', to_jsonb(outcomes));
  update evener.writers set number = number_, outcomes = answer, at = now() where process = process_;
  return answer;
end
$body$;
`;

/**
 * The outcomes of the commit of that number, or null: it has not come about, and never will. Waits for one
 * that is still on its way: it holds the row.
 */
export const WHAT_BECAME_FUNCTION: string = `
create function evener.what_became(process_ text, number_ bigint) returns jsonb
language plpgsql as $body$
declare
  was evener.writers;
begin
  select * into was from evener.writers where process = process_ for update;
  if was.number = number_ then
    return was.outcomes;
  end if;
  update evener.writers set number = number_, outcomes = null where process = process_;
  return null;
end
$body$;
`;
