/*
 * audit.c: the probe audit, by an audit hook in C (PEP 578).
 */
#include "compat.h"
#include "events.h"
#include "sources.h"

#if COMPAT_HAVE_AUDIT

static int on_audit(const char *name, PyObject *arguments, void *data) {
    (void)data;
    if (event_wanted(PROBE_AUDIT))
        event_audit(name, arguments);
    return 0;
}

bool audit_hook_set(bool wanted) {
    static bool there;
    if (wanted && !there) {
        struct compat_error error = compat_error_put_aside();
        there = PySys_AddAuditHook(on_audit, NULL) == 0; /* another hook may object, and is obeyed */
        compat_error_put_back(error);
    }
    return there;
}

#else

bool audit_hook_set(bool wanted) {
    (void)wanted;
    return false;
}

#endif
