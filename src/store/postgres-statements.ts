import { TASK_COLUMNS } from "./rows.ts";

/** Records of tasks. */
export const SELECT_TASKS: string = `select ${TASK_COLUMNS} from evener.tasks`;

/** A commit: process, its number, writes, bytes. */
export const COMMIT = "select evener.commit_writes($1, $2, $3, $4) as answer";

/** A process that begins, or whose row was tidied away. */
export const REGISTER = "insert into evener.writers values ($1, 0) on conflict (process) do nothing";

/** What became of a commit of that number; the number is used up. */
export const WHAT_BECAME = "select evener.what_became($1, $2) as outcomes";

/** Who leads: the one who does, or the first to ask when its time is over. */
export const LEAD = `
  update evener.leadership set
    epoch = case when process = $1 and until > clock_timestamp() then epoch else epoch + 1 end,
    process = $1,
    until = clock_timestamp() + $2 * interval '1 millisecond'
  where process = $1 or until < clock_timestamp()
  returning epoch`;

/** Somebody else may lead at once. */
export const RESIGN = "update evener.leadership set until = '-infinity' where process = $1";

/** Ended tasks beyond a number, or before a time; with all that is theirs. */
export const PRUNE = `
  with ended as (
    select id, ended_ms,
      (select count(*) from evener.tasks where ended_ms is not null) - $1::bigint as surplus
    from evener.tasks where ended_ms is not null order by ended_ms, id limit $3
  ), numbered as (
    select id, ended_ms, surplus, row_number() over (order by ended_ms, id) as n from ended
  ), gone as (
    delete from evener.tasks where id in (select id from numbered where n <= surplus or ended_ms < $2::bigint)
    returning id
  ), payloads as (
    delete from evener.payloads where id in (select id from gone)
  ), results as (
    delete from evener.results where id in (select id from gone)
  ), events as (
    delete from evener.events where task_id in (select id from gone)
  )
  select id from gone`;
