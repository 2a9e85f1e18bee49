// The page around a flame graph: a filter by thread, a table of the functions, dark mode. What was recorded is in `profile`, as
// html.c writes it.
"use strict";

(function () {
    const SVG = "http://www.w3.org/2000/svg";
    const ROW = 17, TOP = 60;
    const svg = document.querySelector(".flame");
    const graph = flameGraph(svg);
    const threads = document.getElementById("thread");
    const body = document.querySelector("tbody");
    let rows = [], sorted = {column: "own", ascending: false};

    // Samples of the chosen threads that end at each node.
    function ownOfNodes(thread) {
        const own = new Array(profile.nodes.length).fill(0);
        for (const [of, node, samples] of profile.counts) {
            own[node] += thread === "" || Number(thread) === of ? samples : 0;
        }
        return own;
    }

    // A caller's number is always the lower one.
    function totalOfNodes(own) {
        const total = own.slice();
        for (let node = total.length - 1; node > 0; node--) {
            total[profile.nodes[node][0]] += total[node];
        }
        return total;
    }

    function svgElement(name, parent, attributes) {
        const element = document.createElementNS(SVG, name);
        for (const [key, value] of Object.entries(attributes)) {
            element.setAttribute(key, value);
        }
        return parent.appendChild(element);
    }

    function frameElement(node, depth, start, samples, all) {
        const frame = profile.frames[profile.nodes[node][1]];
        const label = node === 0 ? "all" : frame.label;
        const outer = svgElement("svg", svg, {class: "frame " + (node === 0 ? "note" : frame.kind), y: TOP + depth * ROW,
            height: ROW, "data-start": start, "data-samples": samples, "data-depth": depth, "data-label": label});
        svgElement("title", outer, {}).textContent =
            (node === 0 ? "all" : frame.title) + "\n" + samples + " samples, " + (100 * samples / Math.max(1, all)).toFixed(2) + "%";
        svgElement("rect", outer, {width: "100%", height: ROW - 1, fill: node === 0 ? profile.color : frame.color});
        svgElement("text", outer, {x: 3, y: 12});
    }

    function drawGraph(total) {
        const children = total.map(() => []);
        const least = Math.max(1, Math.floor(total[0] / profile.narrowest));
        total.forEach((samples, node) => node > 0 && children[profile.nodes[node][0]].push(node));
        for (const frame of svg.querySelectorAll(".frame")) {
            frame.remove();
        }
        let deepest = 0;
        const waiting = [[0, 0, 0]];
        while (waiting.length > 0) {
            const [node, depth, start] = waiting.pop();
            let at = start + total[node];
            frameElement(node, depth, start, total[node], total[0]);
            deepest = Math.max(deepest, depth);
            // The narrowest first onto the pile, so that the widest is drawn first, at the left; own samples end up at the right.
            at -= total[node] - children[node].reduce((sum, child) => sum + total[child], 0);
            for (const child of children[node].sort((a, b) => total[a] - total[b] || b - a)) {
                at -= total[child];
                if (total[child] >= least) {
                    waiting.push([child, depth + 1, at]);
                }
            }
        }
        svg.setAttribute("height", TOP + (deepest + 1) * ROW + 10);
        graph.load();
    }

    // A function that is several times in a stack has each sample once.
    function gatherRows(own) {
        const found = new Map();
        own.forEach((samples, node) => {
            const seen = new Set();
            for (let at = node; samples > 0 && at > 0; at = profile.nodes[at][0]) {
                const number = profile.frames[profile.nodes[at][1]].function;
                const row = found.get(number) || Object.assign({own: 0, total: 0}, profile.functions[number]);
                row.own += at === node ? samples : 0;
                row.total += seen.has(number) ? 0 : samples;
                seen.add(number);
                found.set(number, row);
            }
        });
        return Array.from(found.values()).filter(row => row.kind === "python" || row.kind === "native");
    }

    function drawTable(all) {
        const {column, ascending} = sorted;
        const compare = (a, b) => (typeof a[column] === "number" ? a[column] - b[column] : a[column].localeCompare(b[column]));
        rows.sort((a, b) => (ascending ? compare(a, b) : compare(b, a)));
        const number = value => [value.toFixed(2), "number"];
        const cells = row => [
            number(100 * row.own / Math.max(1, all)), number(100 * row.total / Math.max(1, all)),
            number(row.own * profile.period / 1e9), number(row.total * profile.period / 1e9), [row.name], [row.place]];
        body.replaceChildren(...rows.map(row => {
            const line = document.createElement("tr");
            for (const [text, kind] of cells(row)) {
                Object.assign(line.insertCell(), {textContent: text, className: kind || ""});
            }
            line.onclick = () => graph.search("^" + row.name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&") + "( |$)");
            return line;
        }));
        for (const header of document.querySelectorAll("th[data-column]")) {
            header.removeAttribute("aria-sort");
            if (header.dataset.column === column) {
                header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
            }
        }
    }

    let all = 0;
    function choose() {
        const own = ownOfNodes(threads.value);
        const total = totalOfNodes(own);
        all = total[0];
        rows = gatherRows(own);
        drawTable(all);
        return total;
    }

    function setDark(dark) {
        document.body.classList.toggle("dark", dark);
        document.getElementById("dark").setAttribute("aria-pressed", dark);
    }

    profile.threads.forEach((label, number) => threads.add(new Option(label, number)));
    threads.addEventListener("change", () => drawGraph(choose()));
    for (const header of document.querySelectorAll("th[data-column]")) {
        header.firstElementChild.addEventListener("click", () => {
            const column = header.dataset.column;
            sorted = {column, ascending: sorted.column === column ? !sorted.ascending : column === "name" || column === "place"};
            drawTable(all);
        });
    }
    document.getElementById("dark").addEventListener("click", () => setDark(!document.body.classList.contains("dark")));
    setDark(window.matchMedia("(prefers-color-scheme: dark)").matches);
    choose(); // the graph of all threads is there already
})();
