# rheo_add_test(<name> SOURCES <files...> [LIBRARIES <targets...>] [ARGS <args...>] [TIMEOUT <seconds>])
#
# One test program, one ctest entry: a program that loads libtorch takes 0.2 s to start, so cases are not split into entries.
function(rheo_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;LIBRARIES;ARGS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES)
    message(FATAL_ERROR "rheo_add_test(${name}): wants SOURCES, does not know '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 600)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} ${arg_ARGS})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT})
endfunction()

# rheo_test_each_isa(<program> <prefix>): a test program once more with each smaller instruction set, by name. Programs return
# 77 where the machine has no such set. These entries, and others that RHEOBASE_ISA does not change, carry a label, so that
# running all tests with another set leaves them out.
function(rheo_test_each_isa program prefix)
  foreach(isa avx2 baseline)
    add_test(NAME ${prefix}_${isa} COMMAND ${program})
    set_tests_properties(${prefix}_${isa} PROPERTIES ENVIRONMENT RHEOBASE_ISA=${isa} SKIP_RETURN_CODE 77 TIMEOUT 600 LABELS any_isa)
  endforeach()
endfunction()
