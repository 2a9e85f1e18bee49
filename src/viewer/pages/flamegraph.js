// The life of a flame graph: an <svg class="flame"> with an inner <svg class="frame"> for each stack, in the order in which
// one walks down the tree. data-start and data-samples say where it lies and how wide it is, its <title> what it is.
"use strict";

function flameGraph(svg) {
    const XHTML = "http://www.w3.org/1999/xhtml";
    const FADED = "ancestor";
    let frames = [], zoomed = null, letter = 7.2;

    // Whatever of the tree is inside `frame` fills the width; its callers are faded; the rest is hidden.
    function zoom(frame) {
        zoomed = frame;
        for (const each of frames) {
            const inside = each.start >= frame.start && each.end <= frame.end && each.depth >= frame.depth;
            const caller = each.start <= frame.start && each.end >= frame.end && each.depth < frame.depth;
            each.share = caller ? 1 : inside ? each.samples / frame.samples : 0;
            each.element.classList.toggle("hidden", each.share === 0);
            each.element.classList.toggle(FADED, caller);
            each.element.setAttribute("x", caller ? "0%" : 100 * (each.start - frame.start) / frame.samples + "%");
            each.element.setAttribute("width", 100 * each.share + "%");
        }
        fit();
    }

    // Names are cut to the width of their frames.
    function fit() {
        const width = svg.clientWidth || svg.getBoundingClientRect().width;
        for (const each of frames) {
            const room = Math.floor((width * each.share - 6) / letter);
            const text = room < 3 ? "" : each.label.length <= room ? each.label : each.label.slice(0, room - 1) + "…";
            if (each.text.textContent !== text) {
                each.text.textContent = text;
            }
        }
    }

    function explain(frame) {
        details.textContent = frame ? frame.title.replace(/\n/g, ": ") : "";
    }

    // Marks what matches the regular expression; the share counts a sample once, however many frames of it match.
    function search(pattern) {
        let expression = null;
        input.value = pattern;
        input.setCustomValidity("");
        try {
            expression = pattern === "" ? null : new RegExp(pattern);
        } catch (error) {
            input.setCustomValidity(error.message);
        }
        let found = 0, end = 0;
        for (const each of frames) {
            const matches = expression !== null && expression.test(each.title.split("\n")[0]);
            each.element.classList.toggle("match", matches);
            if (matches && each.start >= end) {
                found += each.samples;
                end = each.end;
            }
        }
        matched.textContent = expression ? "matched " + percent(found) : input.validationMessage;
    }

    function percent(samples) {
        return (100 * samples / Math.max(1, frames[0].samples)).toFixed(1) + "%";
    }

    function reset() {
        search("");
        zoom(frames[0]);
    }

    // Takes the frames that are there, also after others have been put in.
    function load() {
        frames = Array.from(svg.querySelectorAll(".frame"), element => {
            const start = Number(element.dataset.start), samples = Number(element.dataset.samples);
            return {element, start, samples, end: start + samples, depth: Number(element.dataset.depth),
                label: element.dataset.label, title: element.querySelector("title").textContent,
                text: element.querySelector("text"), share: 1};
        });
        frames[0].element.setAttribute("tabindex", "0");
        zoom(frames[0]);
        search(input.value);
    }

    function frameOf(event) {
        const element = event.target.closest(".frame");
        return frames.find(each => each.element === element);
    }

    // The arrows: to the caller, to the widest that it calls, to its neighbours.
    const moves = {
        ArrowUp: (from, to) => to.depth === from.depth - 1 && to.start <= from.start && to.end >= from.end,
        ArrowDown: (from, to) => to.depth === from.depth + 1 && to.start >= from.start && to.end <= from.end,
        ArrowRight: (from, to) => to.depth === from.depth && to.start >= from.end,
        ArrowLeft: (from, to) => to.depth === from.depth && to.end <= from.start,
    };

    function press(event) {
        const frame = frameOf(event);
        const move = moves[event.key];
        if (event.key === "Escape") {
            reset();
        } else if (event.key === "/" && event.target !== input) {
            input.focus();
        } else if (frame && (event.key === "Enter" || event.key === " ")) {
            zoom(frame);
        } else if (frame && move) {
            const order = event.key === "ArrowLeft" ? frames.slice().reverse() : frames;
            const next = order.find(each => each.share > 0 && move(frame, each));
            if (next) {
                next.element.setAttribute("tabindex", "-1");
                next.element.focus();
            }
        } else {
            return;
        }
        event.preventDefault();
    }

    function html(name, parent, properties) {
        const element = document.createElementNS(XHTML, name);
        parent.appendChild(element);
        return Object.assign(element, properties);
    }

    // Only with a script are there tools.
    const place = document.createElementNS(svg.namespaceURI, "foreignObject");
    for (const [name, value] of [["x", 0], ["y", 26], ["width", "100%"], ["height", 30]]) {
        place.setAttribute(name, value);
    }
    svg.appendChild(place);
    const tools = html("div", place, {className: "tools"});
    const input = html("input", tools, {type: "text", placeholder: "search: regular expression"});
    input.setAttribute("aria-label", "search");
    const button = html("button", tools, {type: "button", textContent: "reset", title: "Esc"});
    const matched = html("span", tools, {className: "matched"});
    const details = html("span", tools, {className: "details"});
    matched.setAttribute("role", "status");
    svg.querySelector(".summary").classList.add("hidden");

    input.addEventListener("input", () => search(input.value));
    button.addEventListener("click", reset);
    svg.addEventListener("click", event => frameOf(event) && zoom(frameOf(event)));
    svg.addEventListener("mouseover", event => explain(frameOf(event)));
    svg.addEventListener("focusin", event => frameOf(event) && explain(frameOf(event)));
    document.addEventListener("keydown", press);
    window.addEventListener("resize", fit);
    if (svg === document.documentElement) {
        window.addEventListener("scroll", () => place.setAttribute("y", 26 + Math.max(0, window.scrollY - 26)));
    }

    // As wide as the window, with letters of their own size.
    svg.removeAttribute("viewBox");
    svg.setAttribute("width", "100%");
    const sample = svg.querySelector(".frame text");
    sample.textContent = "MMMMMMMMMM";
    letter = sample.getComputedTextLength() / 10 || letter;
    load();
    return {load, search, reset};
}
