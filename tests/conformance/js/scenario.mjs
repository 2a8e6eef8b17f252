// Runs scenarios one after the other and prints a line for each, "ok - NAME" or "not ok - NAME", with what went wrong
// below it in lines that begin with "#". The exit code is 1 when one failed.

const SECONDS_MAX = 60;

export async function scenario(name, body) {
  let timer;
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${SECONDS_MAX} s`)), SECONDS_MAX * 1000);
  });
  try {
    await Promise.race([body(), deadline]);
    console.log(`ok - ${name}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`not ok - ${name}`);
    console.log(`${error?.stack ?? error}`.replace(/^/gm, "# "));
  } finally {
    clearTimeout(timer);
  }
}
