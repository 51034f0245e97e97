// gRPC's health service and reflection: is this server serving, and what.
import { setMaxListeners } from "node:events";
import { health, reflection, reflectionAlpha } from "../../formats/proto/index.ts";
import {
  bind,
  type Implementation,
  rawMessage,
  type Service,
  StatusError,
  statusCodes,
} from "../grpc/index.ts";

const serving = { status: health.HealthCheckResponse_ServingStatus.SERVING };

/** Says SERVING for the server (`""`) and for all that `names` has; `names` is asked at every call. */
export function healthService(names: () => readonly string[]): Service {
  const known = (service: string) => service === "" || names().includes(service);
  return bind(health.HealthDefinition, {
    check: async ({ service }) => {
      if (known(service)) return serving;
      throw new StatusError(statusCodes.NOT_FOUND, `unknown service ${service}`);
    },
    list: async () => ({ statuses: new Map(["", ...names()].map((name) => [name, serving])) }),
    async *watch({ service }, { signal }) {
      yield known(service)
        ? serving
        : { status: health.HealthCheckResponse_ServingStatus.SERVICE_UNKNOWN };
      setMaxListeners(0, signal);
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      });
    },
  });
}

/** Lists the services. What their messages look like is in BuildKit's proto files, not here. */
export function reflectionServices(names: () => readonly string[]): readonly Service[] {
  const info: NonNullable<
    Implementation<typeof reflection.ServerReflectionDefinition>["serverReflectionInfo"]
  > = async function* (requests) {
    for await (const request of requests) {
      yield {
        validHost: request.host,
        originalRequest: request,
        messageResponse:
          request.messageRequest?.$case === "listServices"
            ? {
                $case: "listServicesResponse",
                value: { service: names().map((name) => ({ name })) },
              }
            : {
                $case: "errorResponse",
                value: {
                  errorCode: statusCodes.NOT_FOUND,
                  errorMessage: "file descriptors are not served",
                },
              },
      };
    }
  };
  return [
    bind(reflection.ServerReflectionDefinition, { serverReflectionInfo: info }),
    bind(reflectionAlpha.ServerReflectionDefinition, { serverReflectionInfo: info }),
  ];
}

const rawCall = {
  requestType: rawMessage,
  requestStream: false,
  responseType: rawMessage,
} as const;

/** Takes the spans that clients send of their own work (OTLP), and keeps none. */
export function traceService(): Service {
  const definition = {
    name: "TraceService",
    fullName: "opentelemetry.proto.collector.trace.v1.TraceService",
    methods: { export: { name: "Export", ...rawCall, responseStream: false } },
  } as const;
  return bind(definition, { export: async () => new Uint8Array() });
}
