# From one header per neuron to everything that runs it.
#
#   rheo_generate_neurons(target)                 inside the library: every neuron of RHEO_NEURONS and RHEO_LAYERED
#   rheobase_add_neuron(target my_neuron.hpp)     in a program of your own: see "A neuron in your own program", HACKING.md
#
# For Leaky in leaky.hpp the build folder gets leaky.<isa>.cpp for each instruction set (the time loops, no libtorch),
# leaky.table.cpp (which functions they are) and leaky.entry.cpp (the tensor side: reference path, derive, checks).

# g++ moves vectors in structs through memory unless told that scalarising them pays; automatic vectorisation and
# unswitching only bloat loops that already work on whole registers.
set(RHEO_KERNEL_OPTIONS -O3 -g1 -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND RHEO_KERNEL_OPTIONS -fno-tree-vectorize -fno-unswitch-loops --param=sra-max-scalarization-size-Ospeed=4096)
endif()

if(RHEO_SANITIZE)
  # A step is thousands of inlined temporaries: with their scopes and references checked one object takes minutes.
  # What matters here, reads and writes outside the rows, the address sanitizer still sees.
  set(RHEO_KERNEL_OPTIONS -O1 -g1 -ffp-contract=off -fno-sanitize=null,alignment,object-size
                          -fno-sanitize-address-use-after-scope)
endif()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  set(RHEO_ISAS baseline avx2 avx512)
else()
  set(RHEO_ISAS baseline)
endif()
set(RHEO_ISA_OPTIONS_baseline "")
set(RHEO_ISA_OPTIONS_avx2 -mavx2 -mfma)
set(RHEO_ISA_OPTIONS_avx512 -mavx2 -mfma -mavx512f -mavx512dq -mavx512vl -mavx512bw)

# LeakyParallel -> leaky_parallel, RLeaky -> rleaky
function(rheo_snake_case type out)
  string(REGEX REPLACE "([a-z0-9])([A-Z])" "\\1_\\2" text ${type})
  string(TOLOWER ${text} text)
  set(${out} ${text} PARENT_SCOPE)
endfunction()

# Writes a file only when its text changes, so that nothing is compiled again for nothing.
function(rheo_write_if_changed path text)
  file(CONFIGURE OUTPUT ${path} CONTENT "${text}" @ONLY)
endfunction()

# The RHEO_PARAMETERS line of a neuron's header. The typed holder needs nothing else of it: whoever names rheo::nn::Leaky
# includes this line, copied, and is not compiled again when the step changes.
function(rheo_parameters_line header out)
  file(READ ${header} text)
  if(NOT text MATCHES "(RHEO_PARAMETERS(_AND_MODES)?\\([^\n]*\\))\n")
    message(FATAL_ERROR "${header}: no line RHEO_PARAMETERS(...)")
  endif()
  set(${out} "${CMAKE_MATCH_1}" PARENT_SCOPE)
endfunction()

# What a neuron's header opens with, as a line of texts.inc: for the registry, and so for Python's docstrings.
function(rheo_header_text type header layered out)
  file(READ ${header} text)
  string(REGEX MATCH "^(//[^\n]*\n)+" text "${text}")
  string(REGEX REPLACE "(^|\n)// ?" "\\1" text "${text}")
  string(STRIP "${text}" text)
  set(${out} "RHEO_NEURON_TEXT(${type}, R\"rheo(${text})rheo\", ${layered})\n" PARENT_SCOPE)
endfunction()

# Kernel objects and their table for one neuron: adds sources to target.
function(rheo_add_neuron_kernels target type stem header folder)
  set(declarations "")
  set(entries "")
  foreach(isa baseline avx2 avx512)
    if(NOT isa IN_LIST RHEO_ISAS)
      string(APPEND entries "                 {},\n")
      continue()
    endif()
    set(source ${folder}/${stem}.${isa}.cpp)
    rheo_write_if_changed(${source} "// Generated from ${stem}.hpp.
#include \"rheo/kernels/detail/neuron_loops.hpp\"
#include \"${header}\"

namespace rheo::kernels {
NeuronKernels ${stem}_${isa}() { return loops::neuron_kernels<neurons::${type}>(); }
}
")
    set_source_files_properties(${source} PROPERTIES
      COMPILE_OPTIONS "${RHEO_KERNEL_OPTIONS};${RHEO_ISA_OPTIONS_${isa}}" COMPILE_DEFINITIONS RHEO_ISA=${isa})
    target_sources(${target} PRIVATE ${source})
    string(APPEND declarations "NeuronKernels ${stem}_${isa}();\n")
    string(APPEND entries "                 is_available(Isa::${isa}) ? ${stem}_${isa}() : NeuronKernels{},\n")
  endforeach()
  set(source ${folder}/${stem}.table.cpp)
  rheo_write_if_changed(${source} "// Generated from ${stem}.hpp.
#include \"rheo/kernels/registry.hpp\"
#include \"${header}\"

namespace rheo::kernels {
${declarations}KernelTable ${stem}_kernels();
KernelTable ${stem}_kernels() {
  using N = neurons::${type};
  return {N::info.name, N::state_names::count, N::constants_names::count, {
${entries}                 }, &N::info};
}
}
")
  target_sources(${target} PRIVATE ${source})
endfunction()

# A kernel that is no neuron's: rheo/kernels/detail/<stem>.hpp, compiled once per instruction set, gives
# rheo::<isa>::loops::<stem>_loops(), which is called as rheo::kernels::<stem>_<isa>().
# What follows are further options for the compiler.
function(rheo_add_kernel target stem type)
  foreach(isa IN LISTS RHEO_ISAS)
    set(source ${PROJECT_BINARY_DIR}/generated/rheo/kernels/${stem}.${isa}.cpp)
    rheo_write_if_changed(${source} "// Generated for rheo/kernels/detail/${stem}.hpp.
#include \"rheo/kernels/detail/${stem}.hpp\"

namespace rheo::kernels {
${type} ${stem}_${isa}() { return loops::${stem}_loops(); }
}
")
    set_source_files_properties(${source} PROPERTIES
      COMPILE_OPTIONS "${RHEO_KERNEL_OPTIONS};${RHEO_ISA_OPTIONS_${isa}};${ARGN}" COMPILE_DEFINITIONS RHEO_ISA=${isa})
    target_sources(${target} PRIVATE ${source})
  endforeach()
endfunction()

# The tensor side of one neuron. LISTED: of the library, whose parameters stand in options.hpp as well.
function(rheo_add_neuron_entry target type stem header folder)
  set(source ${folder}/${stem}.entry.cpp)
  set(agree "")
  if("LISTED" IN_LIST ARGN)
    set(agree "#include \"rheo/neurons/options.hpp\"
static_assert(rheo::same_parameters<rheo::neurons::${type}, rheo::options::${type}>(),
              \"the parameters of ${type} changed: run cmake again\");
")
  endif()
  rheo_write_if_changed(${source} "// Generated from ${stem}.hpp.
#include \"rheo/ops/detail/reference.hpp\"
#include \"${header}\"
${agree}
namespace rheo::kernels {
KernelTable ${stem}_kernels();
}
namespace rheo::ops {
template <>
RHEO_API const NeuronEntry& neuron_entry<neurons::${type}>() {
  static const NeuronEntry entry = detail::make_entry<neurons::${type}>(&kernels::${stem}_kernels);
  return entry;
}
}
")
  target_sources(${target} PRIVATE ${source})
endfunction()

function(rheo_generate_neurons target)
  set(folder ${PROJECT_BINARY_DIR}/generated/rheo/neurons)
  set(list "")
  set(holders "")
  set(options "")
  set(texts "")
  foreach(type IN LISTS RHEO_NEURONS RHEO_LAYERED)
    rheo_snake_case(${type} stem)
    rheo_add_neuron_kernels(${target} ${type} ${stem} rheo/neurons/${stem}.hpp ${folder})
    string(APPEND list "RHEO_NEURON(${type}, ${stem})\n")
    set(layered true)
    if(NOT type IN_LIST RHEO_LAYERED)
      set(layered false)
      string(APPEND holders "RHEO_NEURON(${type}, ${stem})\n")
    endif()
    rheo_header_text(${type} ${PROJECT_SOURCE_DIR}/rheo/neurons/${stem}.hpp ${layered} line)
    string(APPEND texts "${line}")
    rheo_parameters_line(${PROJECT_SOURCE_DIR}/rheo/neurons/${stem}.hpp line)
    string(APPEND options "struct ${type} {\n  ${line}\n};\n")
  endforeach()
  rheo_write_if_changed(${folder}/list.inc "${list}")
  rheo_write_if_changed(${folder}/holders.inc "${holders}")
  rheo_write_if_changed(${folder}/texts.inc "${texts}")
  rheo_write_if_changed(${folder}/options.hpp "// Generated: the parameters of all neurons, copied from their headers.
#pragma once

#include \"rheo/core/fields.hpp\"

namespace rheo::inline RHEO_ISA::options {

${options}
}  // namespace rheo::inline RHEO_ISA::options
")
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/generated>)
  if(avx2 IN_LIST RHEO_ISAS)
    target_compile_definitions(${target} PRIVATE RHEO_HAVE_X86_KERNELS)
  endif()
endfunction()

# rheobase_add_neuron(<target> <header> [TYPE <name>]): a neuron of your own, compiled for every instruction set.
# <header> defines rheo::neurons::<name> (default: the file's stem in PascalCase) as the library's own do. Afterwards
# rheo::nn::NeuronHolder<rheo::neurons::MyNeuron> works in <target>, fused, forward and backward.
function(rheobase_add_neuron target header)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "TYPE" "")
  cmake_path(ABSOLUTE_PATH header BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
  if(NOT EXISTS ${header})
    message(FATAL_ERROR "rheobase_add_neuron(${target}): no file ${header}")
  endif()
  cmake_path(GET header STEM stem)
  if(NOT arg_TYPE)
    string(REGEX MATCHALL "[^_]+" words ${stem})
    foreach(word IN LISTS words)
      string(SUBSTRING ${word} 0 1 first)
      string(SUBSTRING ${word} 1 -1 rest)
      string(TOUPPER ${first} first)
      string(APPEND arg_TYPE ${first}${rest})
    endforeach()
  endif()
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/rheobase_neurons)
  rheo_add_neuron_kernels(${target} ${arg_TYPE} ${stem} ${header} ${folder})
  rheo_add_neuron_entry(${target} ${arg_TYPE} ${stem} ${header} ${folder})
  target_link_libraries(${target} PRIVATE rheobase::rheobase)
endfunction()
