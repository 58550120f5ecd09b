// A Flamenco job type: a task for each run of a batch. Put it into the `scripts` folder beside the Manager.
//
// Paste what `dreamreel batch batch.yaml --list` prints into the job's commands. A task that ends with another status
// than 0 is tried again by Flamenco, and goes on where it was.
const JOB_TYPE = {
    label: "dreamreel batch",
    description: "Render every run of a dreamreel batch",
    settings: [
        { key: "dreamreel", type: "string", default: "dreamreel", description: "The program, as the workers find it" },
        { key: "runs", type: "string", required: true, description: "What `dreamreel batch FILE --list` printed" },
    ],
};

function foldersOf(text) {
    const folders = [];
    for (const line of text.split(/\r?\n/)) {
        const found = line.trim().match(/^dreamreel run (.+)$/);
        if (found) folders.push(unquoted(found[1]));
    }
    return folders;
}

// Python's shlex.quote: 'it'"'"'s' is it's.
function unquoted(word) {
    return word.replace(/'([^']*)'|"([^"]*)"/g, (_, single, double) => (single === undefined ? double : single));
}

function compileJob(job) {
    for (const folder of foldersOf(job.settings.runs)) {
        const name = folder.replace(/\/+$/, "").split("/").pop();
        const task = author.Task(name, "misc");
        task.addCommand(author.Command("exec", { exe: job.settings.dreamreel, args: ["run", folder] }));
        job.addTask(task);
    }
}
