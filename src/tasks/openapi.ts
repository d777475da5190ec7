import { envelopeSchema } from "./envelope.ts";
import { TASK_ENDPOINTS } from "./routes.ts";

/** The API as an OpenAPI 3.1 document. */
export function openApi(version: string): object {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { path, methods, about, name } of TASK_ENDPOINTS) {
    const item: Record<string, unknown> = {};
    for (const method of methods) item[method.toLowerCase()] = operation(name, method, about, path);
    paths[path] = item;
  }
  const task = envelopeSchema();
  return {
    openapi: "3.1.0",
    info: { title: "Evener tasks", version },
    paths,
    components: { schemas: { Task: task }, securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    security: [{ token: [] }, {}],
  };
}

function operation(name: string, method: string, about: string, path: string): object {
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => {
    return { name: parameter, in: "path", required: true, schema: { type: "string" } };
  });
  const body = name === "tasks" && method === "POST" ? { requestBody: TASK_BODY } : {};
  return {
    operationId: `${method.toLowerCase()}_${name}`,
    summary: about,
    parameters,
    ...body,
    responses: {
      [method === "POST" && name === "tasks" ? "201" : "200"]: { description: "as asked" },
      default: ERROR,
    },
  };
}

const TASK = { $ref: "#/components/schemas/Task" };
const TASK_BODY = {
  required: true,
  content: { "application/json": { schema: { oneOf: [TASK, { type: "array", items: TASK, minItems: 1 }] } } },
};
const ERROR = {
  description: "what was found and what to do",
  content: {
    "application/json": {
      schema: {
        type: "object",
        properties: {
          error: { type: "object", properties: { code: { type: "string" }, message: { type: "string" } } },
        },
      },
    },
  },
};
