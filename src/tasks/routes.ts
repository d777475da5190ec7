/** The endpoints of the task listener: every path, its methods and what it is for. */
export const TASK_ENDPOINTS = [
  {
    name: "tasks",
    methods: ["GET", "POST"],
    path: "/v1/tasks",
    about: "submit one task or an array of them; find by external_id, state, tenant",
  },
  { name: "task", methods: ["GET", "DELETE"], path: "/v1/tasks/{id}", about: "one task; DELETE cancels it" },
  {
    name: "result",
    methods: ["GET"],
    path: "/v1/tasks/{id}/result",
    about: "what it gave back, as bytes; ?wait_s= waits for its end",
  },
  {
    name: "why",
    methods: ["GET"],
    path: "/v1/tasks/{id}/why",
    about: "candidates, costs, and what stands in its way",
  },
  {
    name: "log",
    methods: ["GET"],
    path: "/v1/tasks/{id}/log",
    about: "what its command writes; a stream with ?follow and accept: text/event-stream",
  },
  {
    name: "redrive",
    methods: ["POST"],
    path: "/v1/tasks/{id}/redrive",
    about: "begins one anew that has ended badly",
  },
  {
    name: "redriveAll",
    methods: ["POST"],
    path: "/v1/redrive",
    about: "the same for all of a state: ?state=quarantined",
  },
  {
    name: "events",
    methods: ["GET"],
    path: "/v1/events",
    about: "?cursor=N&task=ID&wait_s=N; a stream with accept: text/event-stream",
  },
  { name: "workers", methods: ["GET"], path: "/v1/workers", about: "who is there, and what runs where" },
  { name: "drain", methods: ["POST"], path: "/v1/workers/{name}/drain", about: "nothing new goes there" },
  { name: "queue", methods: ["GET"], path: "/v1/queue", about: "how much waits, and for how long" },
  { name: "agent", methods: ["GET"], path: "/v1/agent", about: "the WebSocket of agents" },
  { name: "openapi", methods: ["GET"], path: "/v1/openapi.json", about: "this API as OpenAPI 3.1" },
  { name: "health", methods: ["GET"], path: "/healthz", about: "200 while it runs" },
] as const;

/** An entry of {@link TASK_ENDPOINTS}. */
export type TaskEndpoint = (typeof TASK_ENDPOINTS)[number];
