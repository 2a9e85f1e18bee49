"""Greenlets that switch in the middle of nested calls, and one that is killed, untraced and then traced."""

import json

import greenlet
import record


def deep(n, main):
    if n == 0:
        return main.switch("bottom")
    return deep(n - 1, main) + 1


def generator(main):
    for i in range(3):
        yield main.switch(i)


def run():
    main, results = greenlet.getcurrent(), []
    for n in (1, 30, 200):
        ones = [greenlet.greenlet(deep) for _ in range(5)]
        results += [one.switch(n, main) for one in ones]
        results += [one.switch(10) for one in reversed(ones)]
    iterating = greenlet.greenlet(lambda: list(generator(main)))
    results.append(iterating.switch())
    results += [iterating.switch(value) for value in "abc"]
    killed = greenlet.greenlet(deep)
    killed.switch(20, main)
    killed.throw()
    return results


untraced = run()
results = []
events = record.heard(record.FUNCTIONS, lambda: results.extend(run()))
count = [sum(event[0] == probe for event in events) for probe in record.FUNCTIONS]
print(json.dumps({"untraced": untraced, "result": results, "entries": count[0], "returns": count[1]}))
