/*
 * psinfo.c: the tables of psinfo.h.
 */
#include "psinfo.h"

#include <stddef.h>
#include <string.h>

/* A member, its type, how many of it (0: no array), and its value. */
struct member {
    const char *name, *type;
    size_t count;
    const char
        *value; /* a name of D or a number; "": DTrace's translator asks the kernel; NULL: it has none */
};

#define DATA_MODEL (sizeof(void *) == 8 ? "PR_MODEL_LP64" : "PR_MODEL_ILP32")

static const struct member timestruc[] = {
    {"tv_sec", "long", 0, NULL},
    {"tv_nsec", "long", 0, NULL},
    {NULL, NULL, 0, NULL},
};

static const struct member lwpsinfo[] = {
    {"pr_flag", "int", 0, ""},
    {"pr_lwpid", "int", 0, "tid"},
    {"pr_addr", "uintptr_t", 0, ""},
    {"pr_wchan", "uintptr_t", 0, "0"},
    {"pr_stype", "char", 0, "0"},
    {"pr_state", "char", 0, "SRUN"},
    {"pr_sname", "char", 0, "82"}, /* 'R': who fires a probe runs */
    {"pr_nice", "char", 0, NULL},
    {"pr_syscall", "short", 0, NULL},
    {"pr_oldpri", "char", 0, NULL},
    {"pr_cpu", "char", 0, NULL},
    {"pr_pri", "int", 0, ""},
    {"pr_pctcpu", "ushort_t", 0, NULL},
    {"pr_pad", "ushort_t", 0, NULL},
    {"pr_start", "timestruc_t", 0, NULL},
    {"pr_time", "timestruc_t", 0, NULL},
    {"pr_clname", "char", 8, NULL},
    {"pr_name", "char", 16, "execname"},
    {"pr_onpro", "processorid_t", 0, "cpu"},
    {"pr_bindpro", "processorid_t", 0, NULL},
    {"pr_bindpset", "psetid_t", 0, NULL},
    {"pr_lgrp", "int", 0, NULL},
    {"pr_filler", "int", 4, NULL},
    {NULL, NULL, 0, NULL},
};

static const struct member psinfo[] = {
    {"pr_flag", "int", 0, NULL},
    {"pr_nlwp", "int", 0, "1"}, /* as DTrace has it on Linux */
    {"pr_pid", "pid_t", 0, "pid"},
    {"pr_ppid", "pid_t", 0, "ppid"},
    {"pr_pgid", "pid_t", 0, ""},
    {"pr_sid", "pid_t", 0, ""},
    {"pr_uid", "uid_t", 0, "uid"},
    {"pr_euid", "uid_t", 0, "uid"},
    {"pr_gid", "uid_t", 0, "gid"},
    {"pr_egid", "uid_t", 0, "gid"},
    {"pr_addr", "uintptr_t", 0, ""},
    {"pr_size", "size_t", 0, NULL},
    {"pr_rssize", "size_t", 0, NULL},
    {"pr_pad1", "size_t", 0, NULL},
    {"pr_ttydev", "void *", 0, ""},
    {"pr_pctcpu", "ushort_t", 0, NULL},
    {"pr_pctmem", "ushort_t", 0, NULL},
    {"pr_start", "timestruc_t", 0, NULL},
    {"pr_time", "timestruc_t", 0, NULL},
    {"pr_ctime", "timestruc_t", 0, NULL},
    {"pr_fname", "char", 16, "execname"},
    {"pr_psargs", "string", 0, "execargs"},
    {"pr_wstat", "int", 0, "0"},
    {"pr_argc", "int", 0, ""},
    {"pr_argv", "uintptr_t", 0, ""},
    {"pr_envp", "uintptr_t", 0, ""},
    {"pr_dmodel", "char", 0, DATA_MODEL},
    {"pr_pad2", "char", 3, NULL},
    {"pr_taskid", "id_t", 0, "0"},
    {"pr_projid", "id_t", 0, "0"},
    {"pr_nzomb", "int", 0, "0"},
    {"pr_poolid", "id_t", 0, "0"},
    {"pr_zoneid", "id_t", 0, "0"},
    {"pr_contract", "id_t", 0, "0"},
    {"pr_filler", "int", 1, NULL},
    {"pr_lwp", "lwpsinfo_t", 0, NULL},
    {NULL, NULL, 0, NULL},
};

/* Of the kernel's own structures, which have no type here. */
static const struct member task[] = {
    {"pid", NULL, 0, "tid"},
    {"tgid", NULL, 0, "pid"},
    {"comm", NULL, 0, "execname"},
    {NULL, NULL, 0, NULL},
};

static const struct member cpuinfo[] = {
    {"cpu_id", NULL, 0, "cpu"},
    {NULL, NULL, 0, NULL},
};

static const struct {
    const char *tag, *alias; /* of the structure; NULL: no type here */
    const char *variable;    /* NULL: none */
    const struct member *members;
} structures[] = {
    {"timestruc", "timestruc_t", NULL, timestruc},
    {"lwpsinfo", "lwpsinfo_t", "curlwpsinfo", lwpsinfo},
    {"psinfo", "psinfo_t", "curpsinfo", psinfo},
    {NULL, NULL, "curthread", task},
    {NULL, NULL, "curcpu", cpuinfo},
};

enum { STRUCTURES = sizeof structures / sizeof *structures, MEMBERS_MAX = 64 };

void psinfo_define(struct types *types) {
    for (size_t i = 0; i < STRUCTURES; i++) {
        struct type_member members[MEMBERS_MAX];
        size_t count = 0;
        if (!structures[i].tag)
            continue;
        for (const struct member *member = structures[i].members; member->name; member++) {
            const struct type *type = type_named(types, member->type);
            members[count++] = (struct type_member){
                .name = member->name,
                .type = member->count ? type_array_of(types, type, member->count) : type};
        }
        const struct type *forward = type_declare_tag(types, TYPE_STRUCT, structures[i].tag);
        type_define_alias(types, structures[i].alias,
                          type_complete(types, forward, TYPE_STRUCT, members, count));
    }
}

static const struct member *find(const char *variable, const char *name) {
    for (size_t i = 0; i < STRUCTURES; i++) {
        if (!structures[i].variable || strcmp(structures[i].variable, variable) != 0)
            continue;
        for (const struct member *member = structures[i].members; member->name; member++)
            if (strcmp(member->name, name) == 0)
                return member;
    }
    return NULL;
}

const char *psinfo_translation(const char *variable) {
    for (size_t i = 0; i < STRUCTURES; i++)
        if (structures[i].variable && strcmp(structures[i].variable, variable) == 0)
            return structures[i].alias;
    return NULL;
}

const char *psinfo_value(const char *variable, const char *name) {
    const struct member *member = find(variable, name);
    return member && member->value && *member->value ? member->value : NULL;
}

const char *psinfo_number_type(const char *variable, const char *name) {
    const struct member *member = find(variable, name);
    return member && member->type && member->count == 0 && strcmp(member->type, "string") != 0 ? member->type
                                                                                               : NULL;
}

bool psinfo_translates(const char *variable, const char *name) {
    const struct member *member = find(variable, name);
    return member && member->value;
}
