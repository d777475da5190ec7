import { type ControlAddress, type ControlListener, openControl } from "../control/listener.ts";
import { AgentUpgrade } from "./agent-upgrade.ts";
import { type DispatcherKit, TaskDispatcher } from "./dispatcher.ts";
import type { TaskOptions } from "./options.ts";
import { TaskDoor } from "./task-door.ts";

/** The running second door. */
export interface Tasks extends ControlListener {
  readonly dispatcher: TaskDispatcher;
}

/** What it needs. */
export interface TasksSetup extends ControlAddress, DispatcherKit {
  readonly options: TaskOptions;
  readonly version: string;
}

/**
 * Opens the store, takes up what it has, and listens. Throws what {@link openControl} and opening a store
 * throw.
 */
export async function startTasks(setup: TasksSetup): Promise<Tasks> {
  const dispatcher = await TaskDispatcher.open(setup.options, setup);
  try {
    const door = new TaskDoor(dispatcher, new AgentUpgrade(dispatcher), setup.version, setup.onFailure);
    const listener = await openControl("tasks", setup, door);
    return {
      port: listener.port,
      dispatcher,
      close: async () => {
        await dispatcher.close();
        await listener.close();
      },
    };
  } catch (error) {
    await dispatcher.close();
    throw error;
  }
}
