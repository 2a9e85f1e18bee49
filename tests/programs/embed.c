/* Runs each of its arguments as Python in an interpreter of its own, initialised and finalised. */
#include <Python.h>

int main(int argc, char **argv) {
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        Py_Initialize();
        failed |= PyRun_SimpleString(argv[i]) != 0;
        failed |= Py_FinalizeEx() != 0;
    }
    return failed;
}
