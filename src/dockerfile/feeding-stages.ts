/** The stages of a Dockerfile that files of the image were copied from: what it is not built on, but may have a copy of. */
import { imageFlags, textOfFlag } from './references.js';
import { isJson, operandText, parseDockerfile, type Instruction } from './instructions.js';
import {
  baseOf,
  findStage,
  readStages,
  stageBefore,
  stageVariables,
  type ReferenceOptions,
} from './stages.js';

export interface FeedingStage {
  /** As BuildKit tells it: that of FROM, else `stage-` and its index. */
  readonly name: string;
  readonly instructions: readonly StageInstruction[];
}

export interface StageInstruction {
  /** Lower case. */
  readonly keyword: string;
  /** Without flags; a list as words, a heredoc without its lines. */
  readonly operands: string;
  readonly hasHeredoc: boolean;
}

/**
 * @param isWanted whether the files of this instruction matter; asked of those in the built stage and in what it is built on
 * @returns in the order of the file; with each stage those that it was made from
 * @throws DockerfileSyntaxError
 */
export function feedingStages(
  content: Buffer,
  options: ReferenceOptions,
  isWanted: (instruction: StageInstruction) => boolean,
): readonly FeedingStage[] {
  const dockerfile = parseDockerfile(content);
  const stages = readStages(dockerfile);
  const variables = stageVariables(dockerfile, stages, options);
  /** A stage and all that it is built on. */
  const chain = (index: number): readonly number[] => {
    const below: number[] = [];
    for (let at = index; ;) {
      const stage = stages[at];
      if (stage === undefined) return below;
      below.push(at);
      at = stageBefore(stages, baseOf(dockerfile, stage, variables).image, at);
    }
  };
  const sources = (instruction: Instruction, index: number): readonly number[] =>
    imageFlags(instruction).flatMap((flag) => {
      const word = textOfFlag(flag);
      const isNumber = flag.kind === 'copy' && /^\d+$/.test(word);
      const source = isNumber ? Number(word) : stageBefore(stages, word, index);
      return source >= 0 && source < index ? chain(source) : [];
    });
  const built = new Set(chain(findStage(stages, options.target)));
  const found = new Set<number>();
  const pending = [...built];
  // What is added while it is walked is visited, too.
  for (const index of pending) {
    for (const instruction of stages[index]?.instructions ?? []) {
      if (built.has(index) && !isWanted(stageInstruction(instruction))) continue;
      for (const source of sources(instruction, index)) {
        if (built.has(source) || found.has(source)) continue;
        found.add(source);
        pending.push(source);
      }
    }
  }
  return [...found]
    .sort((a, b) => a - b)
    .map((index) => ({
      name: stages[index]?.name ?? `stage-${index}`,
      instructions: (stages[index]?.instructions ?? []).map(stageInstruction),
    }));
}

function stageInstruction(instruction: Instruction): StageInstruction {
  const written = operandText(instruction);
  const text = Buffer.from(written, 'latin1').toString('utf8');
  const operands = isJson(written) ? (JSON.parse(text) as readonly string[]).join(' ') : text;
  return { keyword: instruction.keyword, operands, hasHeredoc: instruction.heredocs > 0 };
}
