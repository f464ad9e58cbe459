/** Runs one case: each program in turn, in each round in another order, and looks each time whether it has built what it should. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { atRest } from './rest.js';
import { measure } from './measure.js';
import { orders } from './order.js';
import { writeProject, writeToken } from './project.js';

/**
 * A program that fails is left out of what remains, and why is told.
 * @param scene `folder`, `engine`, `signal`, `say`
 * @returns by program, in the order of `tools`: `{ name, runs }` of measure.js, each with `rested`: whether all was at rest before it; or
 *   `{ name, failed }`
 */
export async function runCase(each, tools, count, scene) {
  const before = await scene.engine.cache();
  const builders = tools.map((tool) => new Builder(each, tool, scene));
  const inOrder = orders(builders.length);
  try {
    // The first round is not counted: it builds what the others find built, and brings programs into memory.
    for (let round = 0; round <= count; round++) {
      for (const index of inOrder.next().value) await builders[index].run();
    }
    return builders.map((builder) => builder.result());
  } finally {
    for (const builder of builders) await builder.removeAll();
    await scene.engine.forget(before);
  }
}

class Builder {
  #case;
  #tool;
  #scene;
  #runs = [];
  #failed;
  #project;
  #token;

  constructor(each, tool, scene) {
    this.#case = each;
    this.#tool = tool;
    this.#scene = scene;
    this.#failed = tool.broken;
  }

  result() {
    const name = this.#tool.name;
    // The round that was not counted.
    return this.#failed === undefined ? { name, runs: this.#runs.slice(1) } : { name, failed: this.#failed };
  }

  async run() {
    if (this.#failed !== undefined) return;
    const { engine, folder, signal, say } = this.#scene;
    const [images, cache] = [await engine.images(), await engine.cache()];
    try {
      if (this.#case.fresh === 'folder') await this.#tool.removeImages();
      this.#renew();
      const command = this.#tool.command(this.#project, this.#case.steps, this.#token);
      const rested = await atRest(signal);
      const measured = await measure(command, folder, signal);
      await this.#check();
      this.#runs.push({ ...measured, rested });
      say(
        `  ${this.#tool.name}: ${measured.wall.toFixed(2)} s${rested ? '' : ', begun before all was at rest'}`,
      );
    } catch (error) {
      signal.throwIfAborted();
      this.#failed = error.message;
      say(`  ${this.#tool.name}: ${error.message}`);
    }
    await engine.removeUnnamed(new Set(images.values()));
    if (this.#case.bulky) await engine.forget(cache);
  }

  async removeAll() {
    // One that could not be set up has none.
    if (this.#tool.broken === undefined) await this.#tool.removeImages();
    if (this.#project !== undefined) rmSync(this.#project, { recursive: true });
    this.#project = undefined;
  }

  #renew() {
    const { name, fresh } = this.#case;
    const first = this.#project === undefined;
    if (first || fresh !== 'nothing') this.#token = randomBytes(8).toString('hex');
    if (first || fresh === 'folder') {
      if (!first) rmSync(this.#project, { recursive: true });
      this.#project = join(this.#scene.folder, `${name}-${this.#tool.name}-${this.#token}`);
      writeProject(this.#project, this.#tool.name, this.#case, this.#token);
    } else if (fresh === 'file') {
      writeToken(this.#project, this.#token);
    }
  }

  async #check() {
    for (const { label, path, size } of this.#case.expected) {
      const found = await this.#tool.look(label, path);
      const right = size === undefined ? found?.text === `${this.#token}\n` : found?.size === size;
      if (!right) throw new Error(`the image of step ${label} has not the ${path} of this run`);
    }
  }
}
