// Events of one node's part of a build, told apart from those of the other nodes.
import type { BuildEvent } from "../../api/index.ts";
import { digestOf } from "../../base/index.ts";

/** Equal steps of different nodes are different steps to who watches. */
export async function* eventsOfNode(
  events: AsyncIterable<BuildEvent>,
  node: string,
): AsyncIterable<BuildEvent> {
  const own = (step: Parameters<typeof digestOf>[0]) => digestOf(`${node}\0${String(step)}`);
  for await (const event of events) {
    if (event.type === "step")
      yield {
        ...event,
        step: own(event.step),
        name: nodeName(node, event.name),
        ...(event.inputs ? { inputs: event.inputs.map(own) } : {}),
        ...(event.group ? { group: { ...event.group, id: `${node}\0${event.group.id}` } } : {}),
      };
    else if (event.step === undefined) yield event;
    else yield { ...event, step: own(event.step) } as BuildEvent;
  }
}

/** `[linux/arm64 2/3] RUN` on node a is `[a linux/arm64 2/3] RUN`. */
function nodeName(node: string, name: string): string {
  return name.startsWith("[") ? `[${node} ${name.slice(1)}` : `[${node}] ${name}`;
}
