package localzure.conformance;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Runs scenarios one after the other and prints a line for each, "ok - NAME" or "not ok - NAME", with what went wrong
 * below it in lines that begin with "#".
 */
final class Scenarios {
    private static final long SECONDS_MAX = 60;
    private static boolean failed;

    /** What a scenario does; anything that it throws is a failure. */
    interface Body {
        void run() throws Exception;
    }

    private Scenarios() {
    }

    static void scenario(String name, Body body) {
        FutureTask<Void> task = new FutureTask<>(() -> {
            body.run();
            return null;
        });
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        thread.start();
        try {
            task.get(SECONDS_MAX, TimeUnit.SECONDS);
            System.out.println("ok - " + name);
        } catch (ExecutionException failure) {
            report(name, failure.getCause());
        } catch (TimeoutException late) {
            report(name, new TimeoutException("not done after " + SECONDS_MAX + " s"));
        } catch (InterruptedException interrupted) {
            throw new IllegalStateException(interrupted);
        }
    }

    /** Ends the program, also where an SDK left threads behind; the exit code is 1 when a scenario failed. */
    static void end() {
        System.out.flush();
        System.exit(failed ? 1 : 0);
    }

    private static void report(String name, Throwable failure) {
        failed = true;
        StringWriter trace = new StringWriter();
        failure.printStackTrace(new PrintWriter(trace));
        System.out.println("not ok - " + name);
        trace.toString().lines().limit(40).forEach(line -> System.out.println("# " + line));
    }

    static void equal(Object expected, Object actual) {
        check(Objects.equals(expected, actual), "expected " + expected + ", got " + actual);
    }

    static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    /** Runs what must fail with an exception of this type, and returns that. */
    static <T extends Throwable> T refused(Class<T> type, Body body) {
        try {
            body.run();
        } catch (Throwable failure) {
            if (type.isInstance(failure)) {
                return type.cast(failure);
            }
            throw new AssertionError("failed with something else", failure);
        }
        throw new AssertionError("there was no error");
    }
}
