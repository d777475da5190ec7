import { labelText, type MetricsText } from "./metrics-text.ts";
import type { AdminSource } from "./source.ts";

/** What is counted of the whole process. */
export function writeProcess(text: MetricsText, source: AdminSource): void {
  const figures = source.process();
  text.metric("evener_build_info", "gauge", "1, with the version.");
  text.sample(labelText("version", source.version), 1);
  const write = (name: string, kind: "counter" | "gauge", help: string, value: number): void => {
    text.metric(name, kind, help);
    text.sample("", value);
  };
  write(
    "evener_start_time_seconds",
    "gauge",
    "Start of the process since 1970.",
    figures.startedAtWallMs / 1000,
  );
  write("evener_ready", "gauge", "1 when Evener takes requests.", source.isReady() ? 1 : 0);
  write("evener_client_connections", "gauge", "Open connections of clients.", figures.clientConnections);
  write(
    "evener_local_answers_total",
    "counter",
    "Requests that were answered without a backend: redirects and fixed answers.",
    figures.answeredLocally,
  );
  write("evener_unrouted_total", "counter", "Requests that no route took.", figures.unrouted);
  write("evener_malformed_total", "counter", "Requests that were not valid HTTP.", figures.malformed);
  const handshakes = "Client connections whose TLS handshake failed.";
  write("evener_failed_handshakes_total", "counter", handshakes, figures.failedHandshakes);
  write(
    "evener_proxy_protocol_refused_total",
    "counter",
    "Connections closed for want of a valid PROXY header from a trusted peer.",
    figures.refusedPrefaces,
  );
  write(
    "evener_access_log_dropped_total",
    "counter",
    "Lines of the access log that were dropped.",
    figures.accessLogDropped,
  );
  write(
    "evener_late_settles_total",
    "counter",
    "Requests that ended after their backend's place had gone to another one.",
    figures.lateSettles,
  );
  write(
    "evener_lessons_dropped_total",
    "counter",
    "Outcomes that health did not learn of, because the main thread did not keep up with data threads.",
    figures.lessonsDropped,
  );
  if (figures.eventLoopDelayMs !== undefined) {
    const seconds = figures.eventLoopDelayMs / 1000;
    write("evener_event_loop_delay_seconds", "gauge", "Longest delay of the event loop lately.", seconds);
  }
  text.metric("evener_events_total", "counter", "Events of the pools by kind.");
  for (const [kind, count] of Object.entries(source.events.counts)) {
    text.sample(labelText("kind", kind), count);
  }
}
