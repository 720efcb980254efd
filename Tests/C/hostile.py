"""Writes a C program that calls every function of include/blan.h with arguments that no caller should pass.

Usage: python3 Tests/C/hostile.py < the preprocessed header > hostile.c

The functions, their parameters, and the structs' fields are read from the header, so that none can be forgotten. For
each function the program makes a call with good arguments; calls in which one argument is bad, in each way that its
type can be (of a struct: each field in turn); and calls in which some are bad at random. Tests/C/hostile.h has the
values. A call may do what it likes but crash, hang, read or write out of bounds, or break what hostile.h checks.
"""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass

RANDOM_ROUNDS = 60

# Good arguments, where the type alone does not tell: by function and parameter, or by parameter.
GOOD = {
    ("blan_model_init", "path"): "output_path",
    ("blan_trainer_save", "path"): "output_path",
    ("blan_trainer_export", "path"): "output_path",
    ("blan_bitmap_load", "path"): "image_path",
    ("blan_detector_load", "path"): "detector_path",
    ("blan_dataset_open", "path"): "table_path",
    ("blan_bitmap_decode", "bytes"): "png_file",
    ("blan_bitmap_decode", "length"): "sizeof png_file",
    ("blan_detector_load_memory", "bytes"): "detector_bytes",
    ("blan_detector_load_memory", "length"): "detector_length",
    ("blan_trainer_step", "batch"): "2",
    ("blan_trainer_gradient", "count"): "4",
    ("blan_trainer_parameter", "count"): "4",
    ("blan_model_file_tensor", "count"): "4",
    ("blan_dataset_split", "validation_share"): "0.5",
    "path": "model_path",
    "model_path": "model_path",
    "encoder_path": "model_path",
    "out_path": "output_path",
    "tensor_name": '"encoder.bn1.bias"',
    "name": '"encoder.bn1.bias"',
    "bytes": "model_bytes",
    "length": "model_length",
    "index": "0",
    "group": "0",
    "item": "0",
}
# Good values of fields where those of the initialiser will not do: they would train or write the paper's network,
# which takes seconds and a hundred megabytes, or train for long.
GOOD_FIELDS = {
    "blan_network_options.input_size": "64",
    "blan_network_options.width": "4",
    "blan_network_options.attributes": "good_names",
    "blan_network_options.attribute_count": "3",
    "blan_train_options.network": "&small_network",
    "blan_train_options.threads": "1",
    "blan_load_options.threads": "1",
    "blan_calibrate_options.threads": "1",
    "blan_evaluate_options.resamples": "10",
    "blan_fit_options.epochs": "1",
    "blan_fit_options.batch": "2",
    "blan_fit_options.workers": "1",
    "blan_dataset_options.attribute_count": "3",
    "blan_train_options.attribute_count": "3",
    "blan_quantize_options.batch": "2",
    "blan_quantize_options.threads": "1",
    "blan_image.data": "(const uint8_t *)scratch",
    "blan_image.width": "24",
    "blan_image.height": "20",
    "blan_face.x1": "20",
    "blan_face.y1": "20",
    "blan_face.landmarks": "good_landmarks",
}
# Values that a call may take for good and work on for hours or with all memory are no test of anything.
WITHOUT_HUGE = {"blan_fit_options.epochs", "blan_image.width", "blan_image.height"}
NEVER_NULL = {"blan_network_options", "blan_train_options"}
# A width or a stride within reason cannot be told from a true one.
FIXED_FIELDS = {"blan_train_options.network", "blan_network_options.attributes", "blan_network_options.attribute_count"}
MAY_BE_INTERNAL = {"blan_trainer_step", "blan_trainer_fit"}

NUMBERS = {"int32_t": "int32", "int64_t": "int64", "uint64_t": "uint64", "size_t": "size", "float": "float",
           "double": "double"}  # fmt: skip


@dataclass
class Variable:
    """A parameter or a field: its type without `const`, its name, the lengths of an array, and its type as written."""

    type: str
    name: str
    lengths: list[int]
    declared: str


@dataclass
class Header:
    functions: list[tuple[str, str, list[Variable]]]
    handles: list[str]
    structs: dict[str, list[Variable]]
    callbacks: dict[str, tuple[str, str]]
    numbers: dict[str, str]


def variable(text: str) -> Variable:
    found = re.fullmatch(r"(.*?)(\w+)((?:\[\w*\])*)", " ".join(text.split()))
    kind, name, lengths = found.groups()
    numbers = [int(length) for length in re.findall(r"\[(\d+)\]", lengths)]
    declared = kind.strip() + (" *" if numbers else "")
    return Variable(re.sub(r"\bconst\b", "", kind).replace(" ", ""), name, numbers, declared)


def variables(text: str) -> list[Variable]:
    """Fields of a struct; several may stand behind one type."""
    result = []
    for declaration in filter(None, (part.strip() for part in text.split(";"))):
        first, *others = declaration.split(",")
        result.append(variable(first))
        base = re.sub(r"(\w+)((?:\[\w*\])*)$", "", first)
        result += [variable(base + other) for other in others]
    return result


def parse(text: str) -> Header:
    text = text[text.index("typedef int32_t blan_status;") :]
    handles = re.findall(r"typedef struct (\w+) \1;", text)
    structs = {name: variables(body) for body, name in re.findall(r"typedef struct \w+ \{(.*?)\} (\w+);", text, re.S)}
    callbacks = {
        name: (result.strip(), " ".join(parameters.split()))
        for result, name, parameters in re.findall(r"typedef (\w[\w ]*?)\(\*(\w+)\)\((.*?)\);", text, re.S)
    }
    numbers = dict(NUMBERS) | {name: NUMBERS[kind] for kind, name in re.findall(r"typedef (\w+_t) (\w+);", text)}
    plain = re.sub(r"typedef struct \w+ \{.*?\} \w+;|typedef [^;{]*;|enum \{.*?\};", "", text, flags=re.S)
    functions = []
    for result, name, parameters in re.findall(r"([\w ]+?[\s*]+)(blan_\w+)\((.*?)\);", plain, re.S):
        parts = [] if parameters.strip() == "void" else [variable(part) for part in parameters.split(",")]
        functions.append((" ".join(result.split()), name, parts))
    return Header(functions, handles, structs, callbacks, numbers)


class Writer:
    def __init__(self, header: Header) -> None:
        self.header = header
        self.lines: list[str] = []

    def put(self, text: str) -> None:
        self.lines.append(text)

    def prelude(self) -> None:
        self.put('#include "hostile.h"\n')
        self.put('static const char *const good_names[] = {"Smiling", "Young", "Male"};')
        self.put("static blan_network_options small_network = BLAN_NETWORK_OPTIONS_INIT;\n")
        for name, (result, parameters) in self.header.callbacks.items():
            self.put(f"static {result} stop_{name}({parameters})\n{{")
            named = [variable(part).name for part in parameters.split(",")]
            self.put("    " + " ".join(f"(void){parameter};" for parameter in named))
            self.put("}\n" if result == "void" else "    return 1;\n}\n")

    # ---- values ----

    def bad_field(self, struct: str, field: Variable, target: str) -> tuple[int, str]:
        """How many ways a field can be bad, and the statement that makes it so in the way `which`."""
        path = f"{struct}.{field.name}"
        if path in FIXED_FIELDS or field.type in ("_Bool", "void*"):
            return 0, ""
        if field.lengths:
            flat = f"(({field.type} *){target}.{field.name})[which % {math.prod(field.lengths)}]"
            return 6, f"{flat} = bad_{self.header.numbers[field.type]}(which);"
        if field.type in self.header.numbers:
            count = 3 if path in WITHOUT_HUGE else 6
            return count, f"{target}.{field.name} = bad_{self.header.numbers[field.type]}(which);"
        if field.type == "char*":
            return 7, f"{target}.{field.name} = bad_path(which);"
        if field.type == "char**":
            return 5, f"{target}.{field.name} = bad_names(which);"
        if field.type in self.header.callbacks and not field.type.endswith("progress_callback"):
            return 1, f"{target}.{field.name} = stop_{field.type};"
        return 1, f"{target}.{field.name} = NULL;"

    def good_field(self, struct: str, field: Variable, target: str) -> str:
        path = f"{struct}.{field.name}"
        if path in GOOD_FIELDS and field.lengths:
            return f"    memcpy({target}.{field.name}, {GOOD_FIELDS[path]}, sizeof {GOOD_FIELDS[path]});\n"
        if path in GOOD_FIELDS:
            return f"    {target}.{field.name} = {GOOD_FIELDS[path]};\n"
        if field.type in self.header.callbacks and field.type.endswith("progress_callback"):
            return f"    {target}.{field.name} = stop_{field.type};\n"
        if field.type in ("float*", "int8_t*") and self.is_options(struct):
            return "" if "weights" in field.name else f"    {target}.{field.name} = scratch;\n"
        return ""

    def is_options(self, struct: str) -> bool:
        return self.header.structs[struct][0].name == "struct_size"

    def struct(self, struct: str, name: str) -> str:
        """Declares `name_value` and the pointer `name` to it; the one of them, or one of its fields, may be bad."""
        fields = self.header.structs[struct]
        block = f"{name}_block"
        text = f"    static union {{ {struct} value; char bytes[OPTIONS_BLOCK]; }} {block};\n"
        text += f"    memset(&{block}, 0, sizeof {block});\n"
        if self.is_options(struct):
            text += f"    {block}.value = ({struct}){struct.upper()}_INIT;\n"
        text += "".join(self.good_field(struct, field, f"{block}.value") for field in fields)
        text += f"    const {struct} *{name} = &{block}.value;\n"
        cases: list[str] = [] if struct in NEVER_NULL else [f"{name} = NULL;"]
        if self.is_options(struct):
            for which in range(10):
                # The smallest size leaves all to the defaults.
                if which != 3 or struct not in NEVER_NULL:
                    cases.append(f"bad_struct_size(&{block}, sizeof({struct}), {which});")
        for field in fields[1:] if self.is_options(struct) else fields:
            count, statement = self.bad_field(struct, field, f"{block}.value")
            cases += [re.sub(r"\bwhich\b", str(which), statement) for which in range(count)]
        text += f"    switch (next_badness({len(cases)})) {{\n"
        text += "".join(f"    case {number}: {case} break;\n" for number, case in enumerate(cases))
        return text + "    }\n"

    def parameter(self, function: str, parameter: Variable) -> tuple[str, str]:
        """Statements that make the local variable for a parameter, and the argument."""
        kind, name = parameter.type, parameter.name
        good = GOOD.get((function, name), GOOD.get(name))
        base = kind.rstrip("*")
        if kind.endswith("**") and base in self.header.handles:
            text = f"    {base} *{name}_made = ({base} *)1, **{name} = next_badness(1) < 0 ? &{name}_made : NULL;\n"
            return text, name
        if kind.endswith("*") and base in self.header.handles:
            handle = base.removeprefix("blan_")  # the member of `good` in hostile.h, which must have one of each
            return f"    {base} *{name} = next_badness(1) < 0 ? good.{handle} : NULL;\n", name
        if base in self.header.structs and parameter.declared.startswith("const"):
            return self.struct(base, name), name
        if kind == "char*":
            text = f"    const int {name}_bad = next_badness(BAD_PATHS);\n"
            return text, f"({name}_bad < 0 ? {good} : bad_path({name}_bad))"
        if kind == "char**":
            text = f"    const char *{name}_good[] = {{image_path}};\n"
            text += f"    const int {name}_bad = next_badness(BAD_NAMES);\n"
            return text, f"({name}_bad < 0 ? (const char *const *){name}_good : bad_names({name}_bad))"
        if kind == "void**":
            text = f"    const void *{name}_good[] = {{png_file}}, *{name}_null[] = {{NULL}};\n"
            text += f"    const int {name}_bad = next_badness(2);\n"
            return text, f"({name}_bad < 0 ? {name}_good : {name}_bad == 0 ? NULL : {name}_null)"
        if kind == "size_t*":
            value = "sizeof png_file" if name == "lengths" else "0"
            text = f"    size_t {name}_value[] = {{{value}}};\n    const int {name}_bad = next_badness(5);\n"
            text += f"    if ({name}_bad > 0) {name}_value[0] = bad_size({name}_bad - 1);\n"
            return text, f"({name}_bad == 0 ? NULL : {name}_value)"
        if kind in self.header.callbacks:
            return "", f"(next_badness(1) < 0 ? stop_{kind} : NULL)"
        if kind == "float" and parameter.lengths == [5, 2]:
            text = f"    float {name}[5][2];\n    memcpy({name}, good_landmarks, sizeof {name});\n"
            text += f"    const int {name}_bad = next_badness(BAD_NUMBERS + 1);\n"
            text += f"    if ({name}_bad > 0) {name}[{name}_bad % 5][{name}_bad % 2] = bad_float({name}_bad - 1);\n"
            return text, f"({name}_bad == 0 ? NULL : (const float(*)[2]){name})"
        if parameter.lengths:
            return "", f"(next_badness(1) < 0 ? ({base} *)scratch : NULL)"
        if kind in self.header.numbers:
            text = f"    const int {name}_bad = next_badness(BAD_NUMBERS);\n"
            number = self.header.numbers[kind]
            return text, f"({name}_bad < 0 ? ({kind}){good or '1'} : bad_{number}({name}_bad))"
        if kind == "void*" and name == "user":
            return "", "NULL"
        if kind == "void*":
            return "", f"(next_badness(1) < 0 ? {good} : NULL)"
        buffer = "no_labels" if parameter.declared.startswith("const int8_t") else f"({base} *)scratch"
        return "", f"(next_badness(1) < 0 ? {buffer} : NULL)"

    # ---- calls ----

    def function(self, result: str, name: str, parameters: list[Variable]) -> None:
        self.put(f"static void call_{name}(void)\n{{")
        if name.endswith("_free"):
            self.put(f"    {name}(NULL);\n}}\n")
            return
        made = [p for p in parameters if p.type.endswith("**") and p.type.rstrip("*") in self.header.handles]
        arguments = []
        for parameter in parameters:
            text, argument = self.parameter(name, parameter)
            if text:
                self.put(text.rstrip("\n"))
            # Arguments are evaluated in an order of the compiler's own: each is kept in a variable first.
            if "next_badness" in argument:
                self.put(f"    {parameter.declared} {parameter.name}_argument = {argument};")
                argument = f"{parameter.name}_argument"
            arguments.append(argument)
        call = f"{name}({', '.join(arguments)})"
        if result != "blan_status":
            self.put(f"    (void){call};\n}}\n")
            return
        self.put(f"    const blan_status status = {call};")
        self.put(f'    check_answer(status, {str(name in MAY_BE_INTERNAL).lower()}, "{name}");')
        for out in made:
            base = out.type.rstrip("*")
            self.put(f"    if ({out.name} != NULL) {{")
            self.put(f'        check_handle(status, {out.name}_made, "{name}");')
            self.put(f"        {base}_free({out.name}_made);\n    }}")
        self.put("}\n")

    def main(self) -> None:
        self.put("static const struct {\n    const char *name;\n    void (*call)(void);\n    int arguments;")
        self.put("} calls[] = {")
        for _, name, parameters in self.header.functions:
            self.put(f'    {{"{name}", call_{name}, {len(parameters)}}},')
        self.put("};\n")
        self.put(f"enum {{ RANDOM_ROUNDS = {RANDOM_ROUNDS} }};\n")
        self.put(MAIN)

    def program(self) -> str:
        self.prelude()
        for function in self.header.functions:
            self.function(*function)
        self.main()
        return "\n".join(self.lines)


MAIN = """static void play(size_t function, int bad, int variant)
{
    the_plan.bad = bad;
    the_plan.variant = variant;
    the_plan.next = the_plan.variants = 0;
    if (getenv("BLAN_HOSTILE_TRACE") != NULL)
        fprintf(stderr, "%s %d %d\\n", calls[function].name, bad, variant);
    calls[function].call();
}

int main(int count, char **names)
{
    const char *only = count > 1 ? names[1] : NULL;
    small_network.input_size = FIXTURE_INPUT_SIZE;
    small_network.width = 4;
    small_network.attributes = good_names;
    small_network.attribute_count = 3;
    make_good_handles();
    for (size_t function = 0; function < sizeof calls / sizeof calls[0]; function++) {
        if (only != NULL && strcmp(only, calls[function].name) != 0)
            continue;
        play(function, ALL_GOOD, 0);
        for (int bad = 0; bad < calls[function].arguments; bad++)
            for (int variant = 0; variant == 0 || variant < the_plan.variants; variant++)
                play(function, bad, variant);
        for (int round = 0; round < RANDOM_ROUNDS && calls[function].arguments > 1; round++)
            play(function, AT_RANDOM, round);
    }
    CHECK(only != NULL || sizeof calls / sizeof calls[0] > 70);
    free_good_handles();
    return check_end();
}
"""

if __name__ == "__main__":
    sys.stdout.write(Writer(parse(sys.stdin.read())).program())
