# Run by ctest: install, then configure, build and run the consumer. Says which step failed, with its output.
cmake_minimum_required(VERSION 3.25)

function(step what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${what} failed (${status}): ${ARGN}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

if(SANITIZE)
  message("skipped: the package is tested in builds without sanitizers")
  return()
endif()
set(work ${BUILD}/tests/install/${LINKAGE})
set(common -G ${GENERATOR} -DCMAKE_BUILD_TYPE=${BUILD_TYPE} -DCMAKE_CXX_COMPILER=${COMPILER}
  -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER} -DTorch_DIR=${TORCH_DIR})

string(TOUPPER "${BUILD_TYPE}" build_type)
set(shared OFF)
if(LINKAGE STREQUAL "shared")
  set(shared ON)
endif()
if((shared AND SHARED) OR (NOT shared AND NOT SHARED))
  set(library ${BUILD})
else()
  # Beside the build, not in it, and with its flags: ccache then answers for all of it.
  set(library ${BUILD}-${LINKAGE})
  step("configuring the ${LINKAGE} library" ${CMAKE_COMMAND} -S ${SOURCE} -B ${library} ${common}
    -DBUILD_SHARED_LIBS=${shared} "-DCMAKE_CXX_FLAGS_${build_type}=${FLAGS}" -DRHEO_WERROR=${WERROR}
    -DRHEO_BUILD_APP=OFF -DRHEO_BUILD_TESTS=OFF -DRHEO_BUILD_BENCHMARKS=OFF -DRHEO_BUILD_EXAMPLES=OFF)
  step("building the ${LINKAGE} library" ${CMAKE_COMMAND} --build ${library} --parallel 2)
endif()

file(REMOVE_RECURSE ${work}/prefix)
step("installing" ${CMAKE_COMMAND} --install ${library} --prefix ${work}/prefix)
step("configuring the consumer" ${CMAKE_COMMAND} -S ${SOURCE}/tests/install/consumer -B ${work}/build ${common}
  -Drheobase_ROOT=${work}/prefix)
step("building the consumer" ${CMAKE_COMMAND} --build ${work}/build --parallel 2)

step("leaky_net" ${work}/build/leaky_net)
message("${output}")
if(NOT output MATCHES "rheobase ${VERSION}: spikes \\[20, 4, 3\\], gradients arrive")
  message(FATAL_ERROR "leaky_net prints something else")
endif()

# The user's neuron on every instruction set of this machine.
set(isas baseline)
file(STRINGS /proc/cpuinfo flags REGEX "^flags" LIMIT_COUNT 1)
if(flags MATCHES " avx2 " AND flags MATCHES " fma ")
  list(APPEND isas avx2)
endif()
if(flags MATCHES " avx512f " AND flags MATCHES " avx512dq " AND flags MATCHES " avx512vl " AND flags MATCHES " avx512bw ")
  list(APPEND isas avx512)
endif()
foreach(isa IN LISTS isas)
  step("own_neuron on ${isa}" ${CMAKE_COMMAND} -E env RHEOBASE_ISA=${isa} ${work}/build/own_neuron)
  message("${output}")
  if(NOT output MATCHES "^${isa}: [1-9][0-9]* spikes, fused and reference agree")
    message(FATAL_ERROR "own_neuron on ${isa} prints something else")
  endif()
endforeach()
