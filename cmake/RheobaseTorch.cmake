# Finds libtorch: Torch_DIR or CMAKE_PREFIX_PATH (variable or environment) where given, else the wheel in the project's .venv, in an
# active virtual environment, or in the Python on the PATH. Defines the target `torch` and TORCH_INSTALL_PREFIX.
if(SKBUILD)  # pip builds for the Python it runs in
  find_package(Python REQUIRED COMPONENTS Interpreter)
  set(RHEO_PYTHON ${Python_EXECUTABLE})
endif()
if(NOT Torch_DIR AND DEFINED ENV{Torch_DIR})
  set(Torch_DIR $ENV{Torch_DIR} CACHE PATH "Folder of TorchConfig.cmake")
endif()
set(kineto_LIBRARY unused CACHE INTERNAL "the wheel has no libkineto; keeps TorchConfig from warning")
if(NOT Torch_DIR AND (CMAKE_PREFIX_PATH OR DEFINED ENV{CMAKE_PREFIX_PATH}))
  find_package(Torch 2.13 QUIET)
endif()
if(NOT Torch_FOUND AND NOT Torch_DIR)
  # find_spec, not torch.utils.cmake_prefix_path: importing torch takes more than a second.
  find_program(RHEO_PYTHON NAMES python3 python PATHS ${PROJECT_SOURCE_DIR}/.venv/bin $ENV{VIRTUAL_ENV}/bin NO_DEFAULT_PATH)
  find_program(RHEO_PYTHON NAMES python3 python)
  set(_rheo_rc 1)
  if(RHEO_PYTHON)
    execute_process(
      COMMAND ${RHEO_PYTHON} -c "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
      OUTPUT_VARIABLE _rheo_torch OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE _rheo_rc ERROR_QUIET)
  endif()
  if(NOT _rheo_rc EQUAL 0)
    unset(RHEO_PYTHON CACHE)  # so that the next configure looks again
    message(FATAL_ERROR "No libtorch found: run ./dev build, or pass -DCMAKE_PREFIX_PATH=<libtorch>")
  endif()
  list(APPEND CMAKE_PREFIX_PATH ${_rheo_torch}/share/cmake)
  unset(Torch_DIR CACHE)
endif()
find_package(Torch 2.13 REQUIRED)
if(TARGET caffe2::mkl)
  # Folders that exist only where libtorch was built; they would land in our RUNPATH.
  set_target_properties(caffe2::mkl PROPERTIES INTERFACE_LINK_DIRECTORIES "")
endif()
