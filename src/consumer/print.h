/*
 * print.h: print(): a value with its type, member by member.
 */
#ifndef CONSUMER_PRINT_H
#define CONSUMER_PRINT_H

#include "text.h"
#include "value.h"

#include <stdint.h>

/*
 * What print() shows for a value at an address. The field's type is the type's name; for what is more than
 * one number or a text, dlang adds its layout, a line for each of its parts, outer parts first:
 *
 *      NAME '\n' { DEPTH ',' OFFSET ',' SIZE ',' KIND ',' MEMBER ',' TYPE '\n' }
 *
 * The first line is the whole, at depth 0. OFFSET is that in the part around it, in bytes, and SIZE, too; of
 * bit-fields in bits. KIND: i, u a signed or unsigned integer; c a char; p a pointer; s a struct or union,
 * whose members follow one deeper; a an array, whose element follows one deeper, once; b, B a signed or
 * unsigned bit-field. MEMBER is empty where there is no name.
 *
 *      struct pt\n0,0,16,s,,struct pt\n1,0,4,i,x,int\n1,4,8,a,s,char [8]\n2,0,1,c,,char\n
 */
void print_value(struct text *out, uint64_t address, const struct value *value);

#endif
