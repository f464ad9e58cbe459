/** A file system of one program's own, on a loop device: what it writes and removes there costs no other program anything. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { run } from '../../../dist/lab/exec.js';

/** Bytes. The file is sparse: it takes what is written to it. */
const SIZE = 64 * 2 ** 30;
/** The mount ends with this process, however that ends; it ends with whoever holds its standard input. */
const HOLD = 'mount -o loop "$0" "$1" && echo mounted && exec cat';

export class OwnDisk {
  #holder;
  #ended;

  constructor(holder, ended) {
    this.#holder = holder;
    this.#ended = ended;
  }

  /**
   * @param file is made
   * @param folder there, and empty: the file system is seen in it by programs that are begun through `enter`
   */
  static async make(file, folder) {
    await run(['truncate', `--size=${SIZE}`, file]);
    await run(['mkfs.ext4', '-q', file]);
    const holder = spawn('unshare', ['--mount', 'sh', '-c', HOLD, file, folder], {
      stdio: ['pipe', 'pipe', 'inherit'],
      // Ctrl-C is for the benchmark, which still needs what is mounted.
      detached: true,
    });
    const ended = once(holder, 'exit');
    const [mounted] = await Promise.race([once(holder.stdout, 'data'), ended]);
    if (!Buffer.isBuffer(mounted)) throw new Error(`no file system could be mounted from ${file}`);
    return new OwnDisk(holder, ended);
  }

  /** @returns the command as one that sees the file system; its working folder is `/` */
  enter(argv) {
    return ['nsenter', `--target=${this.#holder.pid}`, '--mount', ...argv];
  }

  async remove() {
    this.#holder.stdin.end();
    await this.#ended;
  }
}
