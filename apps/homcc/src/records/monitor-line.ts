import type { JobPhase } from "./state-layout.ts";

/** What a monitor shows of one source, or of one program that runs at home; ends when it is disposed. */
export interface MonitorLine extends Disposable {
  /** `host`: where the job is meant to go on; `localhost` for this machine. */
  enter(phase: JobPhase, host: string): void;
}

/** What monitors are told of one job. */
export interface JobMonitor {
  /** `name`: a source or a command, without folders. */
  follow(name: string): MonitorLine;
}

/** Of jobs that are nobody's to watch: the doctor's, configure checks, and where monitors are switched off. */
export const unmonitored: JobMonitor = {
  follow: () => ({ enter: () => {}, [Symbol.dispose]: () => {} }),
};
