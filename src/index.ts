/**
 * The package: `build` for whole build files, `squash`, `checkImage` and `prove` for single images, `listSessions` and
 * `collectGarbage` for what builds hold on an engine.
 */
export { build } from './build.js';
export { checkImage, prove, squash } from './images.js';
export { collectGarbage, listSessions } from './sessions.js';
export type { BuildOptions, BuildResult, EngineAddress, Logger, StepResult } from './core/api.js';
export type {
  CheckedImageSummary,
  CheckedLayer,
  CheckImageOptions,
  EmitImageEvent,
  ImageCheck,
  ImageEvent,
  Finding,
  ImagePhase,
  ProveOptions,
  ProveResult,
  ProveSecret,
  SquashOptions,
  SquashResult,
} from './core/image-api.js';
export {
  EngineError,
  HabitusError,
  ImageCommandError,
  StepError,
  TimeoutError,
  UsageError,
} from './core/errors.js';
export type { BuildEvent, Emit, Failure, InstructionEvent, StepPhase, StepStatus } from './core/events.js';
export type { Limits } from './core/ports.js';
export type {
  CollectedSession,
  GcOptions,
  GcResult,
  SessionsOptions,
  SessionSummary,
} from './core/session-api.js';
export type { ProofFinding, ProofReport } from './core/secrets.js';
export { ConfigError, type Diagnostic } from './config/diagnostic.js';
