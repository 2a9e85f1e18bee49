/*
 * provider.c: a program's own declarations of providers. The probes are those of the traced process, whatever
 * is declared of them; what DTrace finds wrong with a declaration by itself is found here.
 */
#include "compile.h"
#include "names.h"

#include <string.h>

enum { PROBE_NAME_MAX = 63 };

static const struct node *parameter_named(const struct node *list, const struct node *end, const char *name) {
    for (; list != end; list = list->next)
        if (strcmp(list->text, name) == 0)
            return list;
    return NULL;
}

/* What a probe is called with: types, and names as soon as there is an output prototype to use them. */
static void check_input(struct compilation *compilation, const struct node *probe) {
    unsigned number = 0, count = node_count(probe->list);
    for (const struct node *parameter = probe->list; parameter; parameter = parameter->next) {
        number++;
        if (type_resolve(parameter->type)->kind == TYPE_VOID && count > 1)
            compile_fail(compilation, parameter, "D_DECL_PROTO_VOID", "void must be sole parameter");
        if (*parameter->text && parameter_named(probe->list, parameter, parameter->text))
            compile_fail(compilation, parameter, "D_DECL_PROTO_FORM",
                         "parameter is already declared in probe input prototype: %s, parameter #%u",
                         parameter->text, number);
        if (probe->right && !*parameter->text)
            compile_fail(compilation, parameter, "D_DECL_PROTO_NAME",
                         "parameter declaration requires a name: parameter #%u", number);
    }
}

/* What scripts see of it, which DTrace relates to the input by the names alone. */
static void check_output(struct compilation *compilation, const struct node *probe) {
    unsigned number = 0;
    for (const struct node *parameter = probe->right; parameter; parameter = parameter->next) {
        number++;
        if (*parameter->text && !parameter_named(probe->list, NULL, parameter->text))
            compile_fail(compilation, parameter, "D_DECL_PROTO_FORM",
                         "parameter is not declared in probe output prototype: %s, parameter #%u",
                         parameter->text, number);
    }
}

/* A provider that is there has the probes that it has. */
static void check_known(struct compilation *compilation, const struct node *provider,
                        const struct node *probe) {
    const struct dlang_probes *probes = &compilation->settings->probes;
    if (strcmp(provider->text, "dtrace") != 0 ||
        probes->match(probes->context, provider->text, "", "", probe->text) > 0)
        return;
    compile_fail(compilation, probe, "D_PROV_INCOMPAT",
                 "provider interface mismatch: %s\n\t current: probe %s:::%s defined\n"
                 "\tprevious: probe %s:::%s not defined",
                 provider->text, provider->text, probe->text, provider->text, probe->text);
}

void declare_provider(struct compilation *compilation, struct node *provider) {
    for (const struct node *probe = provider->list; probe; probe = probe->next) {
        if (strlen(probe->text) > PROBE_NAME_MAX)
            compile_fail(compilation, probe, "D_PROV_BADNAME",
                         "probe name may not exceed %d characters: ::%s", PROBE_NAME_MAX, probe->text);
        if (parameter_named(provider->list, probe, probe->text))
            compile_fail(compilation, probe, "D_PROV_PRDUP", "probe redeclared: %s:::%s", provider->text,
                         probe->text);
        check_input(compilation, probe);
        check_output(compilation, probe);
        check_known(compilation, provider, probe);
    }
}
