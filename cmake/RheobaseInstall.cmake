# Install rules: libraries, public headers, and the package that find_package(rheobase) reads. (app/ installs the program.)
include(CMakePackageConfigHelpers)

set(_rheo_exported rheo_core rheobase rheo_plot)
if(NOT BUILD_SHARED_LIBS)
  # A static librheobase needs the archives it was made from.
  list(APPEND _rheo_exported rheo_kernels)
  set_property(TARGET rheobase APPEND PROPERTY
    INTERFACE_LINK_LIBRARIES "$<INSTALL_INTERFACE:$<LINK_ONLY:rheobase::kernels>>")
  # As an option: the target OpenMP::OpenMP_CXX makes CMake warn that the wheel's libgomp may hide the system's.
  target_link_options(rheobase INTERFACE $<INSTALL_INTERFACE:${OpenMP_CXX_FLAGS}>)
endif()
foreach(target IN LISTS _rheo_exported)
  if(TARGET ${target})
    string(REGEX REPLACE "^rheo_" "" exported_name ${target})
    set_target_properties(${target} PROPERTIES EXPORT_NAME ${exported_name})
    install(TARGETS ${target} EXPORT rheobase-targets
      ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
      LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
      RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
      INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  endif()
endforeach()

# A header directly in a layer's folder is public. Of the private ones those of layers 0-3 go along: a neuron in a program of
# its own (rheobase_add_neuron) is compiled from them.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/rheo DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.hpp" PATTERN "detail" EXCLUDE)
foreach(layer core neurons kernels ops)
  if(EXISTS ${PROJECT_SOURCE_DIR}/rheo/${layer}/detail)
    install(DIRECTORY ${PROJECT_SOURCE_DIR}/rheo/${layer}/detail DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/rheo/${layer}
      FILES_MATCHING PATTERN "*.hpp")
  endif()
endforeach()

# The list of neurons, made by RheobaseNeurons.cmake.
install(DIRECTORY ${PROJECT_BINARY_DIR}/generated/rheo DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.hpp" PATTERN "*.inc")

set(_rheo_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/rheobase)
install(EXPORT rheobase-targets NAMESPACE rheobase:: DESTINATION ${_rheo_package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/rheobase-config.cmake.in ${PROJECT_BINARY_DIR}/rheobase-config.cmake
  INSTALL_DESTINATION ${_rheo_package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/rheobase-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/rheobase-config.cmake ${PROJECT_BINARY_DIR}/rheobase-config-version.cmake
  DESTINATION ${_rheo_package_dir})
if(EXISTS ${PROJECT_SOURCE_DIR}/cmake/RheobaseNeurons.cmake)
  install(FILES ${PROJECT_SOURCE_DIR}/cmake/RheobaseNeurons.cmake DESTINATION ${_rheo_package_dir})
endif()
if(EXISTS ${PROJECT_SOURCE_DIR}/LICENSE)
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()
