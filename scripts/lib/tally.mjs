/** Adds up what ran. */
export class Tally {
  #passed = 0;
  #failed = [];
  #skipped = [];

  add(where, { passed = 0, failed = [], skipped = [] }) {
    this.#passed += passed;
    this.#failed.push(...failed.map((title) => `${where}: ${title}`));
    this.#skipped.push(...skipped.map(({ title, reason }) => `${where}: ${title} (${reason})`));
  }

  /** Runs a check that throws when it fails; it counts as one test. */
  async check(title, body) {
    const start = performance.now();
    try {
      await body();
      this.#passed++;
      console.log(`✔ ${title} (${seconds(start)} s)`);
      return true;
    } catch (error) {
      this.#failed.push(`${title}\n${error.message}`);
      console.log(`✘ ${title}\n${error.message}`);
      return false;
    }
  }

  /** Prints the failures, the skips and as the last line the counts; sets the exit code. */
  report() {
    for (const title of this.#skipped) console.log(`skipped  ${title}`);
    for (const failure of this.#failed) console.log(`FAILED  ${beginning(failure)}`);
    const strict = process.env.CI === 'true';
    if (strict && this.#skipped.length > 0) console.log('CI=true: a skipped test is a failure');
    console.log(`${this.#passed} passed, ${this.#failed.length} failed, ${this.#skipped.length} skipped`);
    if (this.#failed.length > 0 || (strict && this.#skipped.length > 0)) process.exitCode = 1;
    if (this.#passed + this.#failed.length + this.#skipped.length === 0) process.exitCode = 1;
  }
}

/** A failure's title and as much of the reason as tells it apart: who sees only the end of the output has to go by that. */
const beginning = (failure) => failure.split('\n', 14).join('\n        ').slice(0, 800);

export const seconds = (start) => ((performance.now() - start) / 1000).toFixed(1);
